"""The accumulator: no row's sum, nor any part of it, leaves the width that was derived from the weights."""

from amaranth.hdl import Array, Const, Mux, Signal, Value, signed

from autapse.quantized import QuantizedNetwork
from autapse.weight_memory import bias, matrix
from autapse_hw.arithmetic import delayed
from autapse_hw.formal.bench import Bench, implies
from autapse_hw.formal.networks import small
from autapse_hw.formal.proof import Proof
from autapse_hw.lanes.generic import GenericBank


def _lookup(values: list[int], index: Value) -> Value:
    bits = max(abs(value) for value in values).bit_length() + 1
    return Array(Const(value, signed(bits)) for value in values)[index]


def accumulation(b: Bench, q: QuantizedNetwork) -> None:
    """One lane adds up any row of the network, over and over, with any operands that the formats allow."""
    f = q.formats
    weights, biases = matrix(q), bias(q)
    rows, cols = weights.shape
    x_max, h_max = f.x.max_code << f.x_shift, f.h.max_code << f.h_shift
    block = GenericBank(1, 1, f.W.bits, f.operand_bits, f.acc_bits, 1)
    b.open(block)

    row, column = b.constant("row", range(rows)), Signal(range(cols))
    b.suppose(row < rows)
    operand = b.free("operand", signed(f.operand_bits))
    largest = Mux(column < q.inputs, x_max, h_max)
    b.suppose((operand <= largest) & (operand >= -largest))
    weight = Signal(signed(f.W.bits))
    b.m.d.comb += [
        weight.eq(_lookup(weights.reshape(-1).tolist(), row * cols + column)),
        block.w.eq(weight),
        block.v.eq(operand),
        block.enable.eq(1),
    ]
    b.m.d.sync += column.eq(Mux(column == cols - 1, 0, column + 1))
    b.check(column < cols)

    # The same in integers that are wide enough for anything, beside the lane's own sum, from where the row began.
    latency = GenericBank.latency(1) - 1
    product = delayed(b.m, weight, latency) * delayed(b.m, operand, latency)
    place = delayed(b.m, column, latency)
    wide = f.acc_bits + 4
    start, exact = Signal(f.acc_bits), Signal(signed(wide))
    filled = Signal(range(latency + 2))
    begins = (place == 0) & (filled >= latency)
    b.m.d.sync += filled.eq(Mux(filled == latency + 1, filled, filled + 1))
    counting = Signal()
    with b.m.If(begins):
        b.m.d.sync += [counting.eq(1), start.eq(block.sums), exact.eq(_lookup(biases.tolist(), row) + product)]
    with b.m.Elif(counting):
        b.m.d.sync += exact.eq(exact + product)
    sign = exact[f.acc_bits - 1 :]
    b.check(implies(counting, sign.all() | ~sign.any()))
    lane = (block.sums - start + _lookup(biases.tolist(), row))[: f.acc_bits].as_signed()
    b.check(implies(counting, lane == exact))

    # For the induction: what the row can have reached by now.
    bounds = [
        [
            abs(int(biases[r]))
            + sum(abs(int(weights[r, k])) * (x_max if k < q.inputs else h_max) for k in range(n + 1))
            for n in range(cols)
        ]
        for r in range(rows)
    ]
    done = delayed(b.m, place, 1)
    bound = _lookup([value for line in bounds for value in line], row * cols + done)
    b.check(implies(counting, (exact <= bound) & (exact >= -bound)))
    b.check((filled <= latency + 1) & implies(counting, filled == latency + 1))


def accumulation_proof(name: str, q: QuantizedNetwork) -> Proof:
    """The proof for one network."""
    return Proof(
        f"accumulator-{name}",
        "GenericBank, Formats",
        "no sum of a row, nor any part of it, leaves the accumulator, so the lane's sum is exact",
        lambda b: accumulation(b, q),
        depth=6,
        parameters=f"{q.units} units, {q.inputs} inputs, {q.outputs} outputs, {q.formats.acc_bits} bits",
    )


PROOFS = [accumulation_proof("small", small(3, 1, 1, bits=5))]
