"""The bare datapath of a lane form: weight memory, lanes, drain chains, one pin; no sequencer but a counter.

The bar for a whole design with the same lanes: the same forms, word lengths, memories, device and tools, and nothing
else on the chip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from numpy.typing import NDArray

from autapse.weight_memory import packed
from autapse_boards.flow import place_route, router, synthesise
from autapse_boards.limits import limits
from autapse_boards.parts import Part
from autapse_boards.timing import Timing, read_timing
from autapse_boards.tools import Progress, find
from autapse_hw.arithmetic import delayed, delayed_flag
from autapse_hw.bands import banded_chain, lane_bank, weight_rom
from autapse_hw.lanes import LaneForm
from autapse_hw.lanes.accumulator import segment_widths
from autapse_hw.memories import Rom
from autapse_hw.names import plain_names
from autapse_hw.schedule import BROADCAST
from autapse_hw.tiling import Tiling


@dataclass(frozen=True)
class Bare:
    """A bare datapath.

    Attributes
    ----------
    form, tiling
        The lanes, and the chains behind them: `tiling.drains`.
    weight_bits, operand_bits, acc_bits
        Word lengths.
    words
        Of the weight memory: tiles * slots of the design that it is compared with. After so many cycles the sums are
        loaded into the chains; at least as many as a chain is long.
    """

    form: LaneForm
    tiling: Tiling
    weight_bits: int
    operand_bits: int
    acc_bits: int
    words: int

    def __post_init__(self) -> None:
        if (short := self.form.shortage(self.weight_bits, self.operand_bits, self.acc_bits)) is not None:
            raise ValueError(short)
        if self.tiling.cols > self.form.columns:
            raise ValueError(f"lane form {self.form.name} takes {self.form.columns} column of lanes, not more")
        if self.words < self.groups:
            raise ValueError(f"words must be at least {self.groups}, the length of a chain, not {self.words}")

    @property
    def groups(self) -> int:
        """Length of a chain."""
        return -(-self.tiling.rows // self.tiling.drains)

    def codes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Random weights (words, rows, cols) and operands (words, cols), symmetric."""
        rng, t = np.random.default_rng(1), self.tiling
        w, v = (1 << (bits - 1) for bits in (self.weight_bits, self.operand_bits))
        return rng.integers(1 - w, w, (self.words, t.rows, t.cols)), rng.integers(1 - v, v, (self.words, t.cols))


class Datapath(wiring.Component):
    """The circuit.

    Members
    -------
    o : Out(1)
        Parity of the words at the heads of the chains, some cycles later: it depends on every bit of every sum.

    Attributes
    ----------
    heads : Signal
        Those words, by drain, lowest first.
    """

    o: Signal

    def __init__(self, bare: Bare) -> None:
        self.bare = bare
        self.heads = Signal(bare.tiling.drains * bare.acc_bits)
        super().__init__({"o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        # As in the core: the weights' address takes the registers that the operands have behind their memory; the sums
        # go into the chains segment by segment, a cycle apart.
        b, form, t = self.bare, self.bare.form, self.bare.tiling
        m = Module()
        w, v = b.codes()
        bands, row_bits = form.bands(t), t.cols * b.weight_bits
        m.submodules.weights = weights = weight_rom(bands, row_bits, len(w), _words(w, b.weight_bits), form.memory)
        m.submodules.operands = operands = Rom(t.cols * b.operand_bits, len(v), _words(v, b.operand_bits), form.memory)
        lengths = b.weight_bits, b.operand_bits, b.acc_bits, form.segments(b.acc_bits)
        m.submodules.bank = bank = lane_bank(form, bands, t.cols, *lengths)
        # The counter must not be what limits the clock: it wraps by a flag that is a register.
        count, last, load = Signal(range(b.words)), Signal(), Signal()
        m.d.sync += [count.eq(count + 1), last.eq(count == max(0, b.words - 2)), load.eq(last)]
        with m.If(last):
            m.d.sync += count.eq(0)
        m.d.comb += [
            operands.addr.eq(count),
            weights.addr.eq(delayed(m, count, BROADCAST)),
            bank.w.eq(weights.data),
            bank.v.eq(delayed(m, operands.data, BROADCAST)),
            bank.enable.eq(1),
            self.heads.eq(Cat(_chain(m, b, bank.sums, a, load) for a in range(t.drains))),
        ]
        bits: Value = self.heads
        while len(bits) > 1:
            bits = delayed(m, Cat(bits[k : k + 4].xor() for k in range(0, len(bits), 4)), 1)
        m.d.comb += self.o.eq(bits)
        return m


def _words(codes: NDArray[np.int64], bits: int) -> list[int]:
    """A word for each row of `codes`, its first code lowest."""
    return [packed(row, bits) for row in codes.reshape(len(codes), -1).tolist()]


def _chain(m: Module, b: Bare, sums: Value, a: int, load: Value) -> Value:
    """Registers that take the sums of drain `a` and shift them, the first first; returns the head, segments aligned."""
    t, segments, pieces, at = b.tiling, b.form.segments(b.acc_bits), [], 0
    for k, bits in enumerate(segment_widths(b.acc_bits, segments)):
        readings = [sums.word_select(row, b.acc_bits)[at : at + bits] for row in range(a, t.rows, t.drains)]
        head = banded_chain(m, f"chain_{a}_{k}", bits, readings, load, b.form.bands(t), t.drains)
        pieces.append(delayed(m, head, segments - 1 - k))
        load, at = delayed_flag(m, load, 1), at + bits
    return Cat(*pieces)


def place_bare(
    bare: Bare, part: Part, folder: Path, seeds: range | list[int], target_hz: float, tell: Progress | None = None
) -> tuple[list[Timing], float]:
    """:func:`place` of a bare datapath."""
    return place(Datapath(bare), part, folder, seeds, target_hz, bare.form.name, bare.tiling.lanes, tell)


def place(
    circuit: wiring.Component,
    part: Part,
    folder: Path,
    seeds: range | list[int],
    target_hz: float,
    form: str,
    lanes: float,
    tell: Progress | None = None,
    synth: Sequence[str] = (),
) -> tuple[list[Timing], float]:
    """Build a circuit of so many lanes of a form alone on `part`, in `folder`, which is made.

    `synth` are further options of yosys' ``synth_ice40`` or ``synth_ecp5``. Returns what each seed achieves, and the
    seconds of the tools.
    """
    from amaranth.back import rtlil  # type: ignore[attr-defined]  # not in the stubs

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "top.il").write_text(plain_names(rtlil.convert(circuit, name="top")))
    seconds = synthesise(find("yosys"), part, form, folder, tell, synth)
    nextpnr, timings, sheet = find(f"nextpnr-{part.family}"), [], limits(part, folder / "top.json")
    options = ["--freq", f"{target_hz / 1e6:.3f}", *router(part, lanes)]
    options += ["--lpf-allow-unconstrained"] * (part.family == "ecp5")
    for seed in seeds:
        seconds += place_route(nextpnr, part, seed, options, folder, tell)
        timings.append(read_timing(folder / "timing.json", part.family, sheet))
    return timings, seconds
