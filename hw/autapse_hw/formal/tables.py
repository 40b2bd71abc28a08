"""The activation's table: no address beyond its end counts, and no interpolation leaves its words."""

from amaranth.hdl import Array, Const, Signal, Value

from autapse.activation import Activation, design
from autapse.fixed import Format
from autapse_hw.activation import ActivationUnit
from autapse_hw.arithmetic import delayed
from autapse_hw.formal.bench import Bench, implies
from autapse_hw.formal.proof import Proof
from autapse_hw.schedule import activation_latency


def _table(name: str, kind: str, bits: int) -> Proof:
    activation = design(name, bits + 1, Format(bits, bits - 1), kind)

    def properties(b: Bench) -> None:
        block = ActivationUnit(activation, activation.limit.bit_length() + 1, "generic")
        opened = b.open(block)
        magnitude = b.drive(block.magnitude, "magnitude")
        negative = b.drive(block.negative, "negative")
        s = activation.segments
        assert s is not None
        inside = magnitude < activation.limit
        b.check(implies(inside, opened["addr"] < len(s.c0)))
        # What the unit must give: f by its definition, in integers that are wide enough for all of it.
        y = _definition(activation, magnitude)
        limited = Signal(range(activation.out.max_code + 1))
        b.m.d.comb += limited.eq(activation.top)
        with b.m.If(inside & (y < activation.top)):
            b.m.d.comb += limited.eq(y)
        result = Signal(block.y.shape())
        total = activation.offset + limited
        with b.m.If(negative):
            b.m.d.comb += result.eq(activation.offset - limited)
        with b.m.Elif(total > activation.out.max_code):
            b.m.d.comb += result.eq(activation.out.max_code)
        with b.m.Else():
            b.m.d.comb += result.eq(total)
        cycle = Signal(range(block.latency + 2))
        b.m.d.sync += cycle.eq(cycle + 1)
        expected = delayed(b.m, result, block.latency)
        b.check(implies(cycle == block.latency, block.y == expected))

    return Proof(
        f"table-{name}-{kind}",
        "ActivationUnit",
        "no address leaves the table, and every result is the one that its words define: nothing overflows",
        properties,
        depth=activation_latency(activation) + 1,
        parameters=f"{bits} bits, {activation.describe()}",
        any_start=True,
        window=True,
    )


def _definition(activation: Activation, magnitude: Value) -> Value:
    """f of `autapse.activation`, without any limit of width."""
    s = activation.segments
    assert s is not None
    words: list[Value] = [Const(0, 1)] * 3
    for k, coefficients in enumerate((s.c0, s.c1, s.c2)):
        if coefficients:
            words[k] = _lookup(coefficients, magnitude >> s.shift)
    c0, c1, c2 = words
    dx = magnitude & ((1 << s.shift) - 1)
    return (c0 + (c1 - ((c2 * dx) >> s.shift)) * dx) >> s.guard


def _lookup(words: tuple[int, ...], index: Value) -> Value:
    width = max(words).bit_length()
    return Array(Const(word, width) for word in words)[index]


PROOFS = [
    _table("tanh", "direct", 5),
    _table("tanh", "linear", 8),
    _table("tanh", "quadratic", 8),
    _table("sigmoid", "linear", 8),
]
