"""Uploads: cells that come in go into the weights' memory, and what it then holds is read back and checked."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_PKZIP as CRC32  # type: ignore[import-untyped]  # the stubs lack crc
from amaranth.lib.wiring import In, Out

from autapse.weight_memory import BLOCK_WORDS, STRIPE_BITS, WeightMemory
from autapse_hw.arithmetic import delayed_flag
from autapse_hw.cells import CellInterface, cell_port
from autapse_hw.server_logic import later


class Uploader(wiring.Component):
    """Executes WRITE and APPLY but for the model hash.

    Parameters
    ----------
    memory : WeightMemory
        What is written.
    loaded : bool
        Whether it holds a network when the device is switched on.

    Members
    -------
    begin, applying : In(1)
        `begin` is high for one cycle: a WRITE is executed or, if `applying` is high, an APPLY.
    byte, push : In(8), In(1)
        `push` is high for one cycle, at least three apart: the next byte of the payload, up to a block's last or the
        CRC's. Only while `busy` is low.
    release : In(1)
        High for one cycle: the request needs the memory no more.
    busy : Out(1)
        The memory is being read, or a part of the CRC looked at.
    match : Out(1)
        Two cycles after `busy`: the CRC that has come is that of the whole memory.
    accept : In(1)
        High for one cycle: the memory holds a network.
    loaded : Out(1)
        It holds one: it did when the device was switched on, or was accepted, and nothing has been written since.
        A reset changes neither that nor the memory.
    port : Out(cell_port)
        To the memory.
    """

    begin: Signal
    applying: Signal
    byte: Signal
    push: Signal
    release: Signal
    busy: Signal
    match: Signal
    accept: Signal
    loaded: Signal
    port: CellInterface

    def __init__(self, memory: WeightMemory, *, loaded: bool = True) -> None:
        self._memory, self._loaded = memory, loaded
        super().__init__(
            {
                **{name: In(1) for name in ("begin", "applying", "push", "release", "accept")},
                "byte": In(8),
                "busy": Out(1),
                "match": Out(1),
                "loaded": Out(1),
                "port": Out(cell_port(memory)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A cell at a time, in sixteen cycles: long enough for its way out of the memory, and through the CRC bit by
        bit while the next one comes.

        The register of the cell takes the bytes of the request as well: of a WRITE two for the stripe, two for the
        block, and the block's; of an APPLY the CRC, which makes that of the memory the residue.
        """
        m = Module()
        loaded = Signal(init=self._loaded, reset_less=True)
        cell = Signal(STRIPE_BITS, reset_less=True)
        odd = Signal()
        complete = self.push & odd
        m.d.comb += [self.loaded.eq(loaded), self.port.data.eq(cell)]
        with m.If(self.begin & ~self.applying):
            m.d.sync += loaded.eq(0)
        with m.Elif(self.accept):
            m.d.sync += loaded.eq(1)
        with m.If(self.push):
            m.d.sync += [cell.eq(Cat(cell[8:], self.byte)), odd.eq(~odd)]
        with m.If(self.begin):
            m.d.sync += [odd.eq(0), self.port.active.eq(1)]
        with m.Elif(self.release):
            m.d.sync += self.port.active.eq(0)
        next_word = self._write(m, cell, complete)
        self._check(m, cell, complete, next_word)
        return m

    def _write(self, m: Module, cell: Signal, complete: Value) -> Value:
        """A WRITE's cells: stripe, block, words. Returns the strobe that counts a word that has been written."""
        for_stripe, for_block = Signal(), Signal()
        arrived = later(m, complete & ~self.applying)
        m.d.comb += self.port.write.eq(arrived & ~for_stripe & ~for_block)
        next_word = delayed_flag(m, self.port.write, 3)
        with m.If(self.begin):
            m.d.sync += [for_stripe.eq(1), for_block.eq(0)]
        with m.Elif(arrived):
            m.d.sync += [for_stripe.eq(0), for_block.eq(for_stripe)]
        with m.If(arrived & for_stripe):
            m.d.sync += self.port.stripe.eq(cell)
        with m.If(arrived & for_block):
            m.d.sync += self.port.word.eq(cell * BLOCK_WORDS)
        return next_word

    def _check(self, m: Module, cell: Signal, complete: Value, next_word: Value) -> None:
        """The walk through the memory, and the CRC."""
        memory, port = self._memory, self.port
        walking, shifting = Signal(), Signal()
        tick = Signal(range(STRIPE_BITS))
        value = Signal(CRC32.crc_width, reset_less=True)
        bits = Signal(STRIPE_BITS, reset_less=True)
        weights, biases = memory.weights, memory.biases
        last_word = later(m, port.word == Mux(port.stripe < weights.stripes, weights.depth - 1, biases.depth - 1))
        last_stripe = later(m, port.stripe == memory.stripes - 1)
        ends = tick == STRIPE_BITS - 1
        m.d.comb += self.busy.eq(walking | shifting)
        m.d.sync += [self.match.eq(value == CRC32(8).residue()), tick.eq(tick + 1)]

        with m.If(ends):
            m.d.sync += shifting.eq(walking)
            with m.If(last_word & last_stripe):
                m.d.sync += walking.eq(0)
        with m.If(next_word | (ends & walking)):
            m.d.sync += port.word.eq(port.word + 1)
            with m.If(walking & last_word):
                m.d.sync += [port.word.eq(0), port.stripe.eq(port.stripe + 1)]
        with m.If(ends & walking):
            m.d.sync += bits.eq(port.cell)
        with m.Elif(shifting):
            m.d.sync += bits.eq(bits >> 1)
        with m.If(shifting):
            feedback = (value[0] ^ bits[0]).replicate(len(value))
            taps = int(f"{CRC32.polynomial:032b}"[::-1], 2)
            m.d.sync += value.eq((value >> 1) ^ (feedback & taps))
        with m.If(self.begin & self.applying):
            m.d.sync += [walking.eq(1), tick.eq(0), port.word.eq(0), port.stripe.eq(0), value.eq(CRC32.initial_crc)]
        with m.If(complete & self.applying):
            m.d.sync += [shifting.eq(1), tick.eq(0), bits.eq(Cat(cell[8:], self.byte))]
