"""The vendors' lanes against the generic ones: the same sums, bit for bit, with the cells' simulation models inside."""

from amaranth.hdl import Signal

from autapse_hw.arithmetic import delayed
from autapse_hw.formal.bench import Bench, implies
from autapse_hw.formal.proof import Proof
from autapse_hw.lanes import GENERIC, get_form


def _equal(form_name: str, weight_bits: int, operand_bits: int, cols: int = 1, rows: int = 1) -> Proof:
    form = get_form(form_name)
    acc_bits = weight_bits + operand_bits + 1
    depth = form.latency(cols) + 2

    def properties(b: Bench) -> None:
        shape = (rows, cols, weight_bits, operand_bits, acc_bits, 1)
        vendor, generic = form.bank(*shape), GENERIC.bank(*shape)
        b.open(vendor)
        b.open(generic, "generic")
        w, v, enable = (b.drive(port, name) for port, name in ((vendor.w, "w"), (vendor.v, "v"), (vendor.enable, "en")))
        for word, bits in ((w, weight_bits), (v, operand_bits)):
            for k in range(len(word) // bits):
                b.suppose(word.word_select(k, bits) != 1 << (bits - 1))  # the most negative codes do not occur
        # The generic lanes get everything as much later as they are faster.
        late = form.latency(cols) - GENERIC.latency(cols)
        for port, value in ((generic.w, w), (generic.v, v), (generic.enable, enable)):
            b.m.d.comb += port.eq(delayed(b.m, value, late))
        # Sums begin with any value: what is added in each cycle counts, once the pipelines hold what has come in.
        cycle = Signal(range(depth))
        b.m.d.sync += cycle.eq(cycle + 1)
        for row in range(rows):
            ours, theirs = (bank.sums.word_select(row, acc_bits) for bank in (vendor, generic))
            added = (ours - b.past(ours))[:acc_bits] == (theirs - b.past(theirs))[:acc_bits]
            b.check(implies(cycle == depth - 1, added))

    return Proof(
        f"lane-{form_name}-{weight_bits}x{operand_bits}",
        form.bank.__name__,
        "adds the same as the generic lane in every cycle",
        properties,
        depth=depth,
        parameters=f"{rows} x {cols} lanes, weights of {weight_bits} bits, operands of {operand_bits} bits",
        any_start=True,
        window=True,
    )


PROOFS = [
    _equal("mac8x8", 8, 8),
    _equal("mac8x8", 4, 3, rows=2),  # both halves of a cell
    _equal("mac16", 4, 3, cols=2),
    _equal("mac16sum", 4, 4),
    _equal("booth", 6, 6),
    _equal("mult18", 18, 18),
]
