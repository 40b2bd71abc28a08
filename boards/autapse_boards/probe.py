"""The bare datapath of lanes in logic: weight memory, lanes, running sums, drain chain and ring, one pin; nothing else.

``python -m autapse_boards.probe booth --rows 17 --columns 2`` prints what the form takes of an iCE40 HX8K, and its
clock for some seeds. With ``--board icebreaker`` it builds a form of the core for the device of that board, by
:mod:`autapse_boards.bare`: the bar for a whole design.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out

from autapse.errors import AutapseError
from autapse_boards.bare import Bare, place, place_bare
from autapse_boards.board import Board, get_board
from autapse_boards.hx8k_evn import HX8K_EVN
from autapse_boards.probe_forms import PROBE_FORMS
from autapse_hw.arithmetic import delayed, registered
from autapse_hw.lanes import FORMS, get_form
from autapse_hw.lanes.accumulator import running_sum
from autapse_hw.tiling import Tiling

_DEPTH = 200  # words of the memories; more than the columns of 50 units, and too many for logic


@dataclass(frozen=True)
class Probe:
    """What is built.

    Attributes
    ----------
    form
        A name of :data:`autapse_boards.probe_forms.PROBE_FORMS`.
    rows, columns
        Lanes: rows side by side, whose columns are added before the running sum.
    bits, acc_bits
        Of weights and operands; of the running sums.
    """

    form: str
    rows: int
    columns: int
    bits: int = 8
    acc_bits: int = 19

    def __post_init__(self) -> None:
        if self.form not in PROBE_FORMS:
            raise ValueError(f"form must be one of {', '.join(PROBE_FORMS)}; not {self.form!r}")

    @property
    def lanes(self) -> float:
        """Products a cycle."""
        return self.rows * self.columns / PROBE_FORMS[self.form].cycles


class Datapath(wiring.Component):
    """The circuit of a probe. `o` depends on every sum."""

    o: Signal

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        super().__init__({"o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        p, form = self.probe, PROBE_FORMS[self.probe.form]
        m = Module()
        rng = np.random.default_rng(1)
        count = Signal(range(_DEPTH))
        m.d.sync += count.eq(Mux(count == _DEPTH - 1, 0, count + 1))

        def memory(name: str, width: int) -> Value:
            init = [int.from_bytes(rng.bytes(width)) % (1 << width) for _ in range(_DEPTH)]
            m.submodules[name] = block = Memory(
                shape=unsigned(width), depth=_DEPTH, init=init, attrs={"rom_style": "block"}
            )
            port = block.read_port()
            m.d.comb += [port.en.eq(1), port.addr.eq(count)]
            data: Value = port.data
            return data

        weight = memory("weights", p.rows * p.columns * p.bits)
        operand = memory("operands", p.columns * p.bits)
        operands = [registered(m, operand.word_select(c, p.bits)) for c in range(p.columns)]
        weights = [
            [weight.word_select(row * p.columns + c, p.bits).as_signed() for c in range(p.columns)]
            for row in range(p.rows)
        ]
        bits = p.acc_bits + form.extra_bits
        sums = [
            running_sum(m, number, bits, 1, Const(1, 1), f"sum_{row}")
            for row, number in enumerate(form.rows(m, weights, operands))
        ]
        load, turning = Signal(), Signal()
        m.d.sync += [load.eq(count == 51), turning.eq(load | (turning & (count != 51 + p.rows)))]
        head = _drain(m, sums, bits, load, turning)
        parities = [head[k : k + 4].xor() for k in range(0, bits, 4)]
        m.d.comb += self.o.eq(delayed(m, delayed(m, Cat(*parities), 1).xor(), 1))
        return m


def _drain(m: Module, sums: list[Value], bits: int, load: Value, turning: Value) -> Value:
    """Chain and ring as in :class:`autapse_hw.drain.Drain`, and their sum."""
    chain = [Signal(bits, name=f"chain_{row}", reset_less=True) for row in range(len(sums) + 1)]
    ring = [Signal(bits, name=f"ring_{row}", reset_less=True) for row in range(len(sums))]
    for row, total in enumerate(sums):
        m.d.sync += chain[row].eq(Mux(load, total, chain[row + 1]))
        with m.If(turning):
            m.d.sync += ring[row].eq(ring[row + 1] if row + 1 < len(ring) else ~chain[0])
    return registered(m, (chain[0] + ring[0] + 1)[:bits])


def measure(probe: Probe, folder: Path, seeds: list[int], options: str = "", target_mhz: float = 120.0) -> str:
    """Build it in `folder`, and describe it in a line: cells, clock by seed, products a second."""
    circuit, target_hz = Datapath(probe), target_mhz * 1e6
    timings, _ = place(circuit, HX8K_EVN.part, folder, seeds, target_hz, probe.form, probe.lanes, synth=options.split())
    clocks = [timing.fmax_hz / 1e6 for timing in timings]
    cells, blocks = (timings[-1].resources[name].used for name in ("logic", "rams"))
    middle = float(np.median(clocks))
    return (
        f"{probe.form} {probe.rows}x{probe.columns} {options}: {probe.lanes:g} products a cycle, {cells} LCs, "
        f"{cells / probe.lanes:.1f} a lane, {blocks} EBRs; "
        f"{', '.join(f'{clock:.1f}' for clock in clocks)} MHz; {probe.lanes * middle / 1000:.2f} GMAC/s"
    )


def measure_bare(bare: Bare, board: Board, folder: Path, seeds: list[int], target_mhz: float = 120.0) -> str:
    """The same in a line for a form of the core on the device of a board; clocks within the data sheet's limits."""
    timings, _ = place_bare(bare, board.part, folder, seeds, target_mhz * 1e6)
    clocks = [timing.allowed_hz / 1e6 for timing in timings]
    lanes, middle = bare.tiling.lanes, float(np.median(clocks))
    uses = ", ".join(f"{use.used} {name}" for name, use in timings[0].resources.items())
    return (
        f"{bare.form.name} {bare.tiling} on {board.device}: {lanes} products a cycle, {uses}; "
        f"{', '.join(f'{clock:.1f}' for clock in clocks)} MHz; {lanes * middle / 1000:.2f} GMAC/s"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m autapse_boards.probe", description=__doc__)
    parser.add_argument("form", choices=sorted({*PROBE_FORMS, *FORMS}))
    parser.add_argument("--board", help="build this form of the core, not that of the probe")
    parser.add_argument("--bits", type=int, default=8, help="of weights and operands, with --board")
    parser.add_argument("--sum-bits", type=int, default=20, help="with --board")
    parser.add_argument("--rows", type=int, default=17)
    parser.add_argument("--columns", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--yosys", default="", help="options of synth_ice40, such as '-abc9'")
    parser.add_argument("--out", type=Path, default=Path("build/probe"))
    args = parser.parse_args()
    folder = args.out / f"{args.form}_{args.rows}x{args.columns}{args.yosys.replace(' ', '')}"
    try:
        if args.board is not None:
            tiling, lengths = Tiling(args.rows, args.columns), (args.bits, args.bits, args.sum_bits)
            bare = Bare(get_form(args.form), tiling, *lengths, _DEPTH)
            print(measure_bare(bare, get_board(args.board), folder, args.seeds), flush=True)
            return
        print(measure(Probe(args.form, args.rows, args.columns), folder, args.seeds, args.yosys), flush=True)
    except (AutapseError, ValueError) as error:
        sys.exit(f"probe: {error}")


if __name__ == "__main__":
    main()
