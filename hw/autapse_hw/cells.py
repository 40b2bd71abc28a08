"""Memories that are read in long words, and that a host writes and reads back in stripes of 16 bits."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from autapse.weight_memory import STRIPE_BITS, Part, WeightMemory
from autapse_hw.arithmetic import delayed_flag
from autapse_hw.memories import LATENCY, Ram, SinglePortRam
from autapse_hw.server_logic import later

# Terms that one stage of the read-back joins: one LUT a bit.
_FAN_IN = 4


class CellInterface(wiring.PureInterface):
    """What :func:`cell_port` makes, with its members' types."""

    active: Signal
    stripe: Signal
    word: Signal
    data: Signal
    write: Signal
    cell: Signal


class _CellSignature(wiring.Signature):
    def create(self, *, path: tuple[str | int, ...] | None = None, src_loc_at: int = 0) -> CellInterface:
        return CellInterface(self, path=path or (), src_loc_at=1 + src_loc_at)


def cell_port(memory: WeightMemory) -> wiring.Signature:
    """How a host reaches the cells of the weights and biases, seen from its side.

    Members
    -------
    active : Out(1)
        The memories are addressed by `word`. Only while the core rests.
    stripe, word : Out
        Of the cell.
    data, write : Out(16), Out(1)
        `write` is high for one cycle to write the cell; the other members rest from two cycles before it to two after.
    cell : In(16)
        The cell, once `stripe` and `word` have rested for 15 cycles: the way through the slowest memory, and the stages
        of a tree over more stripes than any device has memories for.
    """
    return _CellSignature(
        {
            "active": Out(1),
            "stripe": Out(range(memory.stripes)),
            "word": Out(ceil_log2(memory.depth)),
            "data": Out(STRIPE_BITS),
            "write": Out(1),
            "cell": In(STRIPE_BITS),
        }
    )


class CellMemory(wiring.Component):
    """A memory like a :class:`~autapse_hw.memories.Rom`, which can be written.

    Parameters
    ----------
    part
        Width and depth.
    first, stripes
        Number of its first stripe, and of all stripes there are.
    init
        The contents; words that are not given are 0. Of no effect in SPRAM.
    kind
        As of a :class:`~autapse_hw.memories.Ram`, or ``spram``.

    Members
    -------
    addr, data
        As of a :class:`~autapse_hw.memories.Rom`.
    stripe, w_data, write : In
        As of the :func:`cell_port`; what is written and read back stands at `addr`.
    cell : Out(16)
        Of the stripe; 0 if it is another memory's.
    """

    addr: Signal
    data: Signal
    stripe: Signal
    w_data: Signal
    write: Signal
    cell: Signal

    def __init__(self, part: Part, first: int, stripes: int, init: Sequence[int], kind: str) -> None:
        self.part, self.depth = part, part.depth
        self.latency = 1 if kind == "spram" else LATENCY[kind]
        self._first, self._init, self._kind = first, list(init), kind
        super().__init__(
            {
                "addr": In(range(part.depth)),
                "data": Out(part.width),
                "stripe": In(range(stripes)),
                "w_data": In(STRIPE_BITS),
                "write": In(1),
                "cell": Out(STRIPE_BITS),
            }
        )

    def attach(self, m: Module, port: CellInterface) -> None:
        """Connect it to a :func:`cell_port`, but for its address, and for the port's `cell`."""
        m.d.comb += [self.stripe.eq(port.stripe), self.w_data.eq(port.data), self.write.eq(port.write)]

    def elaborate(self, platform: object) -> Module:
        # A memory for each stripe. There is all the time that a host takes, so each stripe knows a cycle late whether
        # it is meant, and the cells come together in a tree with registers.
        m = Module()
        words: list[Value] = []
        cells: list[Value] = []
        for k, bits in enumerate(self.part.stripe_bits):
            contents = [word >> k * STRIPE_BITS & ((1 << bits) - 1) for word in self._init]
            ram: Ram | SinglePortRam
            if self._kind == "spram":
                ram = SinglePortRam(bits, self.part.depth)
            else:
                ram = Ram(bits, self.part.depth, contents, self._kind)
                m.d.comb += ram.w_addr.eq(self.addr)
            m.submodules[f"stripe_{k}"] = ram
            here = later(m, self.stripe == self._first + k)
            m.d.comb += [
                ram.addr.eq(self.addr),
                ram.w_data.eq(self.w_data),
                ram.w_en.eq(delayed_flag(m, self.write & here, 1)),
            ]
            words.append(ram.data)
            cells.append(later(m, Mux(here, ram.data, 0)))
        m.d.comb += [self.data.eq(Cat(*words)), self.cell.eq(_any(m, cells))]
        return m


def share(m: Module, port: CellInterface, inner: CellInterface) -> None:
    """Pass a :func:`cell_port` on to one of several that it serves, but for its `cell`."""
    for name in ("active", "stripe", "word", "data", "write"):
        m.d.comb += getattr(inner, name).eq(getattr(port, name))


def _any(m: Module, cells: Sequence[Value]) -> Value:
    """All of them in one OR, in stages."""
    while len(cells) > 1:
        cells = [later(m, reduce(or_, cells[k : k + _FAN_IN])) for k in range(0, len(cells), _FAN_IN)]
    return cells[0]
