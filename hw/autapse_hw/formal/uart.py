"""The UART: what goes over the line in either direction is the byte that was meant."""

from fractions import Fraction
from math import ceil, floor

from amaranth.hdl import Cat, Const, Mux, Signal, Value

from autapse_hw.formal.bench import Bench, implies
from autapse_hw.formal.proof import Proof
from autapse_hw.uart import UartRx, UartTx

#: Bits of a frame: start, eight data bits, stop.
_BITS = 10


def _frame(byte: Value) -> Value:
    return Cat(Const(0, 1), byte, Const(1, 1))


def _transmitter(divisor: int | Fraction) -> Proof:
    divisor = Fraction(divisor)
    #: A bit of a fractional divisor begins up to this much before or after its time, as counted from the start bit.
    jitter = 1 - Fraction(1, divisor.denominator)

    def properties(b: Bench) -> None:
        block = UartTx(divisor)
        opened = b.open(block)
        byte, valid = b.drive(block.i.payload, "payload"), b.drive(block.i.valid, "valid")
        stalled = b.past(valid & ~block.i.ready)
        b.suppose(implies(stalled & ~b.first, valid & (byte == b.past(byte))))
        taken = block.i.valid & block.i.ready

        # `elapsed` counts from the first cycle of the start bit on, until the line may be at rest.
        end = ceil(_BITS * divisor)
        elapsed = Signal(range(end + 1), init=end)
        frame = Signal(_BITS, init=2**_BITS - 1)
        with b.m.If(taken):
            b.m.d.sync += [elapsed.eq(0), frame.eq(_frame(byte))]
        with b.m.Elif(elapsed != end):
            b.m.d.sync += elapsed.eq(elapsed + 1)
        for k in range(_BITS):
            within = (elapsed >= ceil(k * divisor + jitter)) & (elapsed <= floor((k + 1) * divisor - 1 - jitter))
            b.check(implies(within, block.tx == frame[k]))
        b.check(implies(elapsed == end, block.tx))
        b.check(implies(taken, elapsed + 1 >= ceil(_BITS * divisor - jitter)))

        # For the induction: the timer has been set back by a bit for each bit that has gone, and by a cycle in each
        # cycle; so many bits have gone from the shift register, and one less from the line right after a tick.
        one, bit = divisor.denominator, divisor.numerator
        timer, shift, ready = opened["timer"], opened["shift"], block.i.ready
        begun = Signal.like(timer)
        gone = Signal(range(_BITS + 1), init=_BITS - 1)
        with b.m.If(taken):
            b.m.d.sync += [begun.eq(timer - one), gone.eq(0)]
        with b.m.Elif(~ready & (timer < 0)):
            b.m.d.sync += gone.eq(gone + 1)
        ticked = timer >= bit - 2 * one
        b.check(frame[-1] & (elapsed <= end))
        b.check((timer >= -one) & (timer < bit - one))
        b.check(
            implies(
                ready, ticked & (shift == 1) & block.tx & opened["stopping"] & (elapsed >= ceil(_BITS * divisor - 1))
            )
        )
        b.check(implies(elapsed == end, (shift == 1) & opened["stopping"]))
        with b.m.If(~ready & (elapsed != end)):
            b.check((begun >= bit - 3 * one) & (begun < bit - 2 * one))
            b.check(timer == begun - one * elapsed + bit * gone)
            b.check((gone < _BITS) & (shift == frame >> gone))
            b.check(block.tx == (frame >> Mux(ticked & (gone != 0), (gone - 1)[: len(gone)], gone))[0])
            b.check(implies(elapsed != 0, opened["stopping"] == (gone == _BITS - 1) & ~ticked))

    return Proof(
        f"uart-tx-{float(divisor):g}",
        "UartTx",
        "each bit of each byte stands on the line at its time, and the line rests high",
        properties,
        depth=2,
        parameters=f"{divisor} cycles a bit",
    )


#: The sender's rate lies in one of so many bands, and anywhere in it.
_BANDS = 4
#: Cycles from the first low sample until the receiver sees it.
_SEEN = 4


def _edges(divisor: Fraction, tolerance: Fraction, band: int) -> list[tuple[int, int]]:
    """The first and the last cycle in which bit k may begin, for every phase and every rate of the band."""
    slow = [1 - tolerance + 2 * tolerance * Fraction(n, _BANDS) for n in (band, band + 1)]
    return [(floor(k * divisor * slow[0]), ceil(k * divisor * slow[1])) for k in range(_BITS + 1)]


def _receiver(divisor: int | Fraction, tolerance: Fraction) -> Proof:
    divisor = Fraction(divisor)
    bands = [_edges(divisor, tolerance, band) for band in range(_BANDS)]
    # The sender may begin again here at the earliest, and the receiver must be ready when it can see that.
    again = [edges[_BITS][0] + _SEEN for edges in bands]
    shortest = floor(divisor * (1 - tolerance))

    def properties(b: Bench) -> None:
        block = UartRx(divisor)
        opened = b.open(block)
        # The sender: `elapsed` cycles ago its start bit was sampled low for the first time. A bit begins in any cycle
        # that its band allows, but is never shorter than the shortest.
        band, byte, hurry = b.constant("band", range(_BANDS)), b.constant("byte", 8), b.free("hurry")
        elapsed = Signal(range(max(again) + 4), init=_SEEN)
        bit, age = Signal(range(_BITS)), Signal(range(max(again) + 4), init=_SEEN)
        may, must = Signal(), Signal()
        for n, edges in enumerate(bands):
            for k in range(_BITS - 1):
                with b.m.If((band == n) & (bit == k)):
                    b.m.d.comb += [may.eq(elapsed + 1 >= edges[k + 1][0]), must.eq(elapsed + 1 >= edges[k + 1][1])]
        begins = may & (age + 1 >= shortest) & (must | hurry)
        b.m.d.sync += [elapsed.eq(elapsed + 1), bit.eq(bit + begins), age.eq(Mux(begins, 0, age + 1))]
        b.m.d.comb += block.rx.eq(_frame(byte).bit_select(bit, 1))

        # In the first cycle the receiver is ready, and sees the start bit; all else in it may be anything.
        ready = opened["idle"] & ~Cat(opened[state] for state in ("starting", "running", "late", "broken")).any()
        samples = Cat(opened["synchroniser.stage0"], opened["synchroniser.stage1"], opened["earlier"])
        b.suppose(implies(b.first, ready & ~opened["line"] & (samples == 0)))
        received = Signal()
        with b.m.If(block.o.valid & ~b.first):  # in the first cycle the byte before may come
            b.m.d.sync += received.eq(1)
        b.check(implies(block.o.valid & ~b.first, ~received & (block.o.payload == byte)))
        b.check(implies(~b.first, ~block.lost))
        for n, when in enumerate(again):
            b.check(implies((band == n) & (elapsed == when), ready & (received | block.o.valid)))
            b.check(implies((band == n) & (elapsed > when), ready & ~block.o.valid))

    return Proof(
        f"uart-rx-{float(divisor):g}",
        "UartRx",
        "each byte of a sender within the tolerance is received once, at every phase, and none is lost",
        properties,
        depth=max(again) + 3 - _SEEN,
        parameters=f"{divisor} cycles a bit, rates apart by up to {float(100 * tolerance):g} %",
        any_start=True,
        window=True,
    )


PROOFS = [
    _transmitter(4),
    _transmitter(Fraction(9, 2)),
    _transmitter(7),
    _receiver(4, Fraction(3, 100)),
    _receiver(Fraction(9, 2), Fraction(25, 1000)),
    _receiver(5, Fraction(3, 100)),
]
