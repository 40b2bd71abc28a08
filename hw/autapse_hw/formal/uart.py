"""The UART: what goes over the line in either direction is the byte that was meant."""

from fractions import Fraction
from math import ceil, floor

from amaranth.hdl import Cat, Const, Mux, Signal, Value

from autapse_hw.formal.bench import Bench, implies
from autapse_hw.formal.proof import Proof
from autapse_hw.uart import UartTx

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


PROOFS = [_transmitter(4), _transmitter(Fraction(9, 2)), _transmitter(7)]
