"""The contract of a bank of lanes, and the form that every device, word length and simulator can take."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse_hw.arithmetic import delayed, delayed_flag, registered
from autapse_hw.lanes.accumulator import Number, adder_tree, running_sum, tree_latency


def bank_members(rows: int, cols: int, weight_bits: int, operand_bits: int, acc_bits: int) -> dict[str, wiring.Member]:
    """The ports of so many lanes, as :class:`Bank` documents them."""
    return {
        "w": In(rows * cols * weight_bits),
        "v": In(cols * operand_bits),
        "enable": In(1),
        "sums": Out(rows * acc_bits),
    }


class Bank(wiring.Component):
    """Lanes in rows and columns: each multiplies its weight with the operand of its column; a row adds its products up.

    Parameters
    ----------
    rows, cols
        How many.
    weight_bits, operand_bits, acc_bits
        Word lengths. Weights and operands are symmetric: the most negative codes do not occur.
    segments
        Carry chains of the sums.

    Members
    -------
    w : In(rows * cols * weight_bits), v : In(cols * operand_bits)
        Weights, row by row, and operands, lowest first. Straight from memory: the bank registers them.
    enable : In(1)
        The products of these weights and operands count.
    sums : Out(rows * acc_bits)
        The running sums modulo ``2**acc_bits``, of any value at first. They contain a product `latency` cycles after
        its factors; segment k of them k cycles later.
    """

    product_latency: int  # of `products`

    w: Signal
    v: Signal
    enable: Signal
    sums: Signal

    def __init__(self, rows: int, cols: int, weight_bits: int, operand_bits: int, acc_bits: int, segments: int) -> None:
        self.rows, self.cols = rows, cols
        self.weight_bits, self.operand_bits, self.acc_bits = weight_bits, operand_bits, acc_bits
        self.segments = segments
        self.product_bits = weight_bits + operand_bits - 1
        super().__init__(bank_members(rows, cols, weight_bits, operand_bits, acc_bits))

    @classmethod
    def latency(cls, cols: int) -> int:
        """Cycles from weights and operands to the sums of rows of `cols` products that contain them."""
        return cls.product_latency + tree_latency(cols) + 1

    def weight(self, row: int, col: int) -> Value:
        """The weight of a lane, signed."""
        return self.w.word_select(row * self.cols + col, self.weight_bits).as_signed()

    def operand(self, col: int) -> Value:
        """The operand of a column of lanes, signed."""
        return self.v.word_select(col, self.operand_bits).as_signed()

    def product(self, m: Module, row: int, col: int) -> Number:
        """The signed product of a lane, `product_bits` long, `product_latency` cycles after its factors."""
        raise NotImplementedError

    def products(self, m: Module) -> list[list[Number]]:
        """All of them, by row and column."""
        return [[self.product(m, row, col) for col in range(self.cols)] for row in range(self.rows)]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counts = delayed_flag(m, self.enable, self.product_latency + tree_latency(self.cols))
        m.d.comb += self.sums.eq(
            Cat(
                running_sum(m, adder_tree(m, row), self.acc_bits, self.segments, counts, f"sum_{k}")
                for k, row in enumerate(self.products(m))
            )
        )
        return m


class GenericBank(Bank):
    """Products from the ``*`` operator, with a register before and a register behind it."""

    product_latency = 2

    def products(self, m: Module) -> list[list[Number]]:
        operands = [delayed(m, self.operand(col), 1) for col in range(self.cols)]
        rows: list[list[Number]] = []
        for row in range(self.rows):
            weights = [delayed(m, self.weight(row, col), 1) for col in range(self.cols)]
            products = [(w * v)[: self.product_bits] for w, v in zip(weights, operands, strict=True)]
            rows.append([Number(registered(m, product)) for product in products])
        return rows
