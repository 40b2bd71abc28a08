"""Memories of one read a cycle, from amaranth's memory or from the vendors' block RAMs.

Block RAMs that stand in the design as instances keep their names, so that their place in a bitstream can be found again
and their contents be exchanged; and those of an ECP5 get their output register.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from amaranth.hdl import Array, Instance, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from autapse_hw.block_rams import TWIN, dp16kd, dp16kd_twin, fit, ram40, spram

#: Cycles from an address to its word, by kind: a block RAM of an ECP5 takes one more, for its output register.
LATENCY: Mapping[str, int] = {"generic": 1, "ice40": 1, "ecp5": 2, "logic": 1}

# The kind of a SinglePortRam.
_SPRAM = "spram"
# Depth and width of a block, the preferred first.
_SHAPES = {
    "ice40": ((256, 16), (512, 8), (1024, 4), (2048, 2)),
    "ecp5": ((1024, 18), (2048, 9)),
    _SPRAM: ((16384, 16),),
}
_COST = {"ice40": 64, "ecp5": 128, _SPRAM: 64}


@dataclass(frozen=True)
class Layout:
    """How blocks make up a memory: `banks` of `depth` words, each of `columns` blocks of `width` bits."""

    depth: int
    width: int
    banks: int
    columns: int

    @property
    def blocks(self) -> int:
        """Block RAMs."""
        return self.banks * self.columns


def layout(width: int, depth: int, kind: str, *, writable: bool = False) -> Layout:
    """The way with the least cost of blocks, and of the multiplexer that chooses from the banks.

    A block counts as much as so many two-way multiplexers as in yosys's choice for memories that it infers.
    """
    _check(width, depth)
    if kind != _SPRAM:
        _check_kind(kind)
    if kind not in _SHAPES:
        raise ValueError(f"a {kind} memory is not made of blocks")
    shapes = _SHAPES[kind] + ((TWIN,) if kind == "ecp5" and not writable else ())
    choices = [Layout(d, w, -(-depth // d), -(-width // w)) for d, w in shapes]
    return min(choices, key=lambda t: (_COST[kind] * t.blocks + (t.banks - 1) * width, t.banks))


def blocks(width: int, depth: int, kind: str, *, writable: bool = False) -> int:
    """Block RAMs that a :class:`Rom`, or a :class:`Ram` if `writable`, instantiates; 0 for generic, which infers."""
    _check(width, depth)
    _check_kind(kind)
    return layout(width, depth, kind, writable=writable).blocks if kind in _SHAPES else 0


class _Memory(wiring.Component):
    """What ROM and RAM share: the check of the arguments, and the cutting of the contents into blocks."""

    addr: Signal
    data: Signal

    def __init__(
        self, width: int, depth: int, init: Sequence[int], kind: str, members: dict[str, wiring.Member]
    ) -> None:
        _check(width, depth)
        if len(init) > depth:
            raise ValueError(f"a memory of {depth} words cannot hold {len(init)}")
        words = [operator.index(word) for word in init]
        for word in words:
            if not -(1 << (width - 1)) <= word < 1 << width:
                raise ValueError(f"a word of {width} bits cannot hold {word}")
        self.width, self.depth, self.kind = width, depth, kind
        self.latency = 1 if kind == _SPRAM else LATENCY[kind]
        self._words = [word & ((1 << width) - 1) for word in words] + [0] * (depth - len(words))
        super().__init__({"addr": In(range(depth)), "data": Out(width), **members})

    def _tile(self, t: Layout, bank: int, column: int) -> list[int]:
        """The contents of a block."""
        words = self._words[bank * t.depth : (bank + 1) * t.depth]
        return [word >> column * t.width & ((1 << t.width) - 1) for word in words]

    def _build(self, m: Module, t: Layout, block: Callable[[int, int, Signal, Value], Instance]) -> None:
        """All blocks, and the choice among the banks. `block` makes one, given bank, column, output and address."""
        within = (t.depth - 1).bit_length()
        outputs = []
        for bank in range(t.banks):
            out = Signal(t.columns * t.width, name=f"bank_{bank}")
            for column in range(t.columns):
                part = Signal(t.width, name=f"part_{bank}_{column}")
                m.submodules[f"block_{bank}_{column}"] = block(bank, column, part, fit(self.addr, within))
                m.d.comb += out[column * t.width : (column + 1) * t.width].eq(part)
            outputs.append(out)
        if t.banks == 1:
            m.d.comb += self.data.eq(outputs[0])
            return
        select: Value = self.addr[within:]
        for k in range(self.latency):
            late = Signal(len(select), name=f"select_{k}", reset_less=True)
            m.d.sync += late.eq(select)
            select = late
        m.d.comb += self.data.eq(Array(outputs)[select])


class Rom(_Memory):
    """Read-only memory of `depth` words of `width` bits, one read a cycle.

    Parameters
    ----------
    width, depth
        Bits of a word, and words.
    init
        The contents, signed or unsigned; words that are not given are 0.
    kind
        ``generic`` (amaranth's memory, in block RAM), ``ice40`` (SB_RAM40_4K), ``ecp5`` (DP16KD with output register),
        or ``logic`` (as yosys pleases: for very small ones).

    Members
    -------
    addr : In(range(depth))
        What to read; the word at an address from `depth` on is undefined.
    data : Out(width)
        The word, `latency` cycles later.

    Attributes
    ----------
    latency : int
        1, or 2 for ecp5.
    """

    def __init__(self, width: int, depth: int, init: Sequence[int], kind: str) -> None:
        _check_kind(kind)
        super().__init__(width, depth, init, kind, {})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.kind not in _SHAPES:
            attrs = {"rom_style": "block"} if self.kind == "generic" else {}
            m.submodules.memory = memory = Memory(shape=self.width, depth=self.depth, init=self._words, attrs=attrs)
            port = memory.read_port()
            m.d.comb += [port.en.eq(1), port.addr.eq(self.addr), self.data.eq(port.data)]
            return m
        t = layout(self.width, self.depth, self.kind)

        def block(bank: int, column: int, out: Signal, at: Value) -> Instance:
            contents = self._tile(t, bank, column)
            if self.kind == "ice40":
                return ram40(t.width, contents, out, at)
            if (t.depth, t.width) == TWIN:
                return dp16kd_twin(contents, out, at)
            return dp16kd(t.width, contents, out, at)

        self._build(m, t, block)
        return m


class Ram(_Memory):
    """Memory of `depth` words of `width` bits, one read and one write a cycle.

    A word that is written in a cycle can be read `latency` cycles after an address that is given in the next cycle or
    later. What is read from the address that is written in the same cycle is undefined.

    Parameters
    ----------
    width, depth, init, kind
        As of :class:`Rom`.

    Members
    -------
    addr : In(range(depth)), data : Out(width)
        The read port, as of :class:`Rom`.
    w_addr : In(range(depth)), w_data : In(width), w_en : In(1)
        The write port.

    Attributes
    ----------
    latency : int
        Of the read port: 1, or 2 for ecp5.
    """

    w_addr: Signal
    w_data: Signal
    w_en: Signal

    def __init__(self, width: int, depth: int, init: Sequence[int], kind: str) -> None:
        _check_kind(kind)
        super().__init__(width, depth, init, kind, {"w_addr": In(range(depth)), "w_data": In(width), "w_en": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.kind not in _SHAPES:
            self._infer(m)
            return m
        t = layout(self.width, self.depth, self.kind, writable=True)
        within = (t.depth - 1).bit_length()
        where = fit(self.w_addr, within)
        enables = [self.w_en & (self.w_addr[within:] == bank) if t.banks > 1 else self.w_en for bank in range(t.banks)]

        def block(bank: int, column: int, out: Signal, at: Value) -> Instance:
            make = ram40 if self.kind == "ice40" else dp16kd
            word = fit(self.w_data[column * t.width : (column + 1) * t.width], t.width)
            return make(t.width, self._tile(t, bank, column), out, at, (where, word, enables[bank]))

        self._build(m, t, block)
        return m

    def _infer(self, m: Module) -> None:
        # Yosys believes that a collision does not matter only of a port whose register is outside the memory; else it
        # builds a bypass.
        attrs = {"no_rw_check": "1"} | ({"ram_style": "block"} if self.kind == "generic" else {})
        m.submodules.memory = memory = Memory(shape=self.width, depth=self.depth, init=self._words, attrs=attrs)
        read, write = memory.read_port(domain="comb"), memory.write_port()
        out = Signal(self.width, reset_less=True)
        m.d.sync += out.eq(read.data)
        m.d.comb += [
            read.addr.eq(self.addr),
            self.data.eq(out),
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data),
            write.en.eq(self.w_en),
        ]


class SinglePortRam(_Memory):
    """Memory of `depth` words of `width` bits in the SPRAMs of an iCE40 UltraPlus: a read or a write a cycle.

    It has no initial contents; a word that was never written is undefined, and so is what is read while one is written.

    Members
    -------
    addr : In(range(depth)), data : Out(width)
        What to read or write; the word, `latency` cycles later.
    w_data : In(width), w_en : In(1)
        Write instead.

    Attributes
    ----------
    latency : int
        1.
    """

    w_data: Signal
    w_en: Signal

    def __init__(self, width: int, depth: int) -> None:
        super().__init__(width, depth, [], _SPRAM, {"w_data": In(width), "w_en": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        t = layout(self.width, self.depth, _SPRAM)
        within = (t.depth - 1).bit_length()

        def block(bank: int, column: int, out: Signal, at: Value) -> Instance:
            here = self.w_en & (self.addr[within:] == bank) if t.banks > 1 else self.w_en
            return spram(out, at, fit(self.w_data[column * t.width : (column + 1) * t.width], t.width), here)

        self._build(m, t, block)
        return m


def _check(width: int, depth: int) -> None:
    for what, number in (("width", width), ("depth", depth)):
        if not isinstance(number, int) or number < 1:
            raise ValueError(f"the {what} of a memory must be at least 1, not {number!r}")


def _check_kind(kind: str) -> None:
    if kind not in LATENCY:
        raise ValueError(f"the kind of a memory must be one of {', '.join(LATENCY)}; not {kind!r}")
