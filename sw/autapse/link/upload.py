"""Uploading the weights of a network: is it the network for this circuit, and the requests."""

from __future__ import annotations

from collections.abc import Callable

from autapse.errors import AutapseError
from autapse.fixed import Format
from autapse.link.session import Session
from autapse.protocol import Command, Identity, apply_payload, write_payloads
from autapse.quantized import QuantizedNetwork
from autapse.weight_memory import BLOCK_BYTES

_LIKE = "quantise with --like the network that was built, or build it anew"


def check_upload(identity: Identity, q: QuantizedNetwork) -> None:
    """AutapseError that says why the weights of `q` cannot be uploaded to a device that says this of itself."""
    if identity.upload is None:
        raise AutapseError("the weights of this device are fixed; build it with 'autapse build --upload'")
    f, u = q.formats, identity.upload
    shape = (
        ("units", identity.units, q.units),
        ("inputs", identity.inputs, q.inputs),
        ("outputs", identity.outputs, q.outputs),
    )
    formats = (
        ("bits of a weight", u.weight_bits, f.W.bits),
        ("bits of an accumulator", u.acc_bits, f.acc_bits),
        ("inputs", _text(identity.input_format), _text(f.x)),
        ("states", _text(identity.state_format), _text(f.state)),
        ("outputs", _text(identity.z_format), _text(f.z)),
    )
    for differing, advice in ((shape, "build it anew"), (formats, _LIKE)):
        for what, has, wanted in differing:
            if has != wanted:
                raise AutapseError(f"{what}: the device has {has}, and the network {wanted}; {advice}")
    if u.circuit != q.circuit_hash():
        raise AutapseError(
            "the device was built for another activation, decay, gain, initial state, or scale of the weights, "
            f"which are part of the circuit; {_LIKE}"
        )


def _text(f: Format) -> str:
    return f"{f.bits} bits with {f.frac} of fraction"


def upload_image(
    session: Session, identity: Identity, q: QuantizedNetwork, progress: Callable[[int], None] | None = None
) -> None:
    """Write the weights of `q`, and have them take effect; AutapseError if they have not all arrived."""
    memory = identity.memory
    assert memory is not None
    image = memory.image(q)
    written = 0

    def take() -> None:
        nonlocal written
        session.receive()
        written += BLOCK_BYTES
        if progress is not None:
            progress(written)

    for payload in write_payloads(memory, image):
        if not session.room:
            take()
        session.send(Command.WRITE, payload)
    while session.outstanding:
        take()
    session.send(Command.APPLY, apply_payload(image, q.model_hash()))
    if session.receive() != b"\x01":
        raise AutapseError("the weights in the device are not those that were sent; upload them again")
