"""Bands of lanes: on a large device the rows take weights and operands band after band, a cycle apart.

No wire then crosses the device in one cycle: a band's operands, flag and address come from the registers of the band
before it. The drain reads the bands just as late, each one place nearer to its head, so that no step gets longer.
"""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse_hw.arithmetic import delayed, delayed_flag
from autapse_hw.lanes import Bank, LaneForm
from autapse_hw.lanes.generic import bank_members
from autapse_hw.memories import LATENCY, Rom


class BandedBank(wiring.Component):
    """Lanes in several bands, each a bank of the form.

    Parameters
    ----------
    form
        Of the lanes.
    bands
        The rows of each band, one after another.
    cols, weight_bits, operand_bits, acc_bits, segments
        As of a :class:`~autapse_hw.lanes.Bank`.

    Members
    -------
    w, v, enable, sums
        As of a :class:`~autapse_hw.lanes.Bank`, but for what belongs to the rows of band k: `w` is taken, and `sums`
        come, k cycles later.
    """

    w: Signal
    v: Signal
    enable: Signal
    sums: Signal

    def __init__(
        self,
        form: LaneForm,
        bands: Sequence[range],
        cols: int,
        weight_bits: int,
        operand_bits: int,
        acc_bits: int,
        segments: int,
    ) -> None:
        self._banks = [form.bank(len(rows), cols, weight_bits, operand_bits, acc_bits, segments) for rows in bands]
        super().__init__(bank_members(bands[-1].stop, cols, weight_bits, operand_bits, acc_bits))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        at = 0
        v: Value = self.v
        enable: Value = self.enable
        for k, bank in enumerate(self._banks):
            m.submodules[f"band_{k}"] = bank
            m.d.comb += [bank.w.eq(self.w[at : at + len(bank.w)]), bank.v.eq(v), bank.enable.eq(enable)]
            v, enable, at = delayed(m, v, 1), delayed_flag(m, enable, 1), at + len(bank.w)
        m.d.comb += self.sums.eq(Cat(bank.sums for bank in self._banks))
        return m


class BandedRom(wiring.Component):
    """The weights of lanes in bands: a memory for each band.

    Parameters
    ----------
    widths
        Bits of a word that belong to each band, lowest first.
    depth, init, kind
        As of a :class:`~autapse_hw.memories.Rom`.

    Members
    -------
    addr : In(range(depth)), data : Out(sum(widths))
        As of a :class:`~autapse_hw.memories.Rom`, but for the bits of band k, which come k cycles later.
    """

    addr: Signal
    data: Signal

    def __init__(self, widths: Sequence[int], depth: int, init: Sequence[int], kind: str) -> None:
        self._roms, at = [], 0
        for bits in widths:
            self._roms.append(Rom(bits, depth, [word >> at & ((1 << bits) - 1) for word in init], kind))
            at += bits
        self.latency = LATENCY[kind]
        super().__init__({"addr": In(range(depth)), "data": Out(at)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        addr: Value = self.addr
        for k, rom in enumerate(self._roms):
            m.submodules[f"band_{k}"] = rom
            m.d.comb += rom.addr.eq(addr)
            addr = delayed(m, addr, 1)
        m.d.comb += self.data.eq(Cat(rom.data for rom in self._roms))
        return m


def lane_bank(form: LaneForm, bands: Sequence[range], cols: int, *lengths: int) -> Bank | BandedBank:
    """Lanes in one band or several; `lengths` as of a :class:`~autapse_hw.lanes.Bank` behind `cols`."""
    return BandedBank(form, bands, cols, *lengths) if len(bands) > 1 else form.bank(bands[-1].stop, cols, *lengths)


def weight_rom(bands: Sequence[range], row_bits: int, depth: int, init: Sequence[int], kind: str) -> Rom | BandedRom:
    """Weights, `row_bits` of a word for each row, of lanes in one band or several."""
    widths = [len(rows) * row_bits for rows in bands]
    return BandedRom(widths, depth, init, kind) if len(widths) > 1 else Rom(widths[0], depth, init, kind)


def banded_chain(
    m: Module, name: str, bits: int, readings: Sequence[Value], load: Value, bands: Sequence[range], drains: int
) -> Value:
    """Registers that `load` fills with a drain's readings, one of each group of rows, and that shift them to the head.

    Returns the head. The last group may be without a row of the drain. What comes from a later band is
    loaded as much later, and as much nearer to the head.
    """
    places: list[list[tuple[Value, Value]]] = [[] for _ in range(-(-bands[-1].stop // drains) - len(bands) + 1)]
    for late, rows in enumerate(bands):
        for group in range(rows.start // drains, -(-rows.stop // drains)):
            if group < len(readings):
                places[group - late].append((load, readings[group]))
        load = delayed_flag(m, load, 1)
    word: Value = Value.cast(0)
    for place, loaded in reversed(list(enumerate(places))):
        for when, reading in loaded:
            word = Mux(when, reading, word)
        register = Signal(bits, name=f"{name}_{place}", reset_less=True)
        m.d.sync += register.eq(word)
        word = register
    return word
