"""What uploads of weights add to the server."""

from amaranth.hdl import Module, Signal, Value

from autapse.protocol import Command
from autapse_hw.server_elements import ServerElements
from autapse_hw.server_logic import Additions, later
from autapse_hw.server_memory import ServerMemory
from autapse_hw.server_states import ServerStates
from autapse_hw.upload import Uploader


def add_uploads(
    m: Module,
    uploader: Uploader,
    states: ServerStates,
    elements: ServerElements,
    memory: ServerMemory,
    byte: Signal,
    busy: Value,
) -> Additions:
    """Connect the uploader. Nothing of a request reaches it, or the memory, before the core rests."""
    at, go = states.at, states.go
    uploads = states.is_write | states.is_apply
    begins = at("SKIP") & uploads
    m.d.comb += [
        uploader.applying.eq(states.is_apply),
        uploader.begin.eq(later(m, go & begins)),
        uploader.byte.eq(byte),
        uploader.push.eq(later(m, go & at("UPLOAD"))),
        uploader.release.eq(go & at("HASH", "REST")),
        uploader.accept.eq(go & at("APPLIED") & uploader.match),
        elements.is_write.eq(states.is_write),
        elements.is_apply.eq(states.is_apply),
        states.uploaded.eq((states.is_write & elements.whole) | (states.is_apply & elements.fourth)),
        states.match.eq(uploader.match),
        states.is_mute.eq(states.is_step & ~uploader.loaded),
    ]
    return Additions(
        waits=(begins & busy, at("UPLOAD", "HASH") & uploader.busy),
        writes=(at("HASH") & uploader.match,),
        targets=((at("SKIP") & states.is_apply, memory.model_hash),),
        bounds=((at("HASH"), memory.last[Command.APPLY]),),
        bytes=((at("APPLIED"), uploader.match), (at("LOADED"), uploader.loaded)),
    )
