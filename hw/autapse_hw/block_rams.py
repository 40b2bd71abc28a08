"""The vendors' block RAMs as instances: their modes, pins, and the packing of their initial contents.

SB_RAM40_4K of the iCE40 follows the simulation model that ships with yosys (ice40/cells_sim.v); DP16KD of the ECP5
follows Lattice's ECP5 memory usage guide (TN1264) and yosys's techmap (lattice/brams_map_16kd.v). SB_SPRAM256KA of the
iCE40 UltraPlus follows yosys's model.
"""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Signal, Value

#: Depth and width of a DP16KD as a ROM whose two ports read the two halves of a word.
TWIN = (512, 36)

#: Address, word and enable of a write port.
Write = tuple[Value, Value, Value]


def ram40_init(width: int, words: Sequence[int]) -> dict[str, int]:
    """INIT_0 to INIT_F of an SB_RAM40_4K that holds `words` of 16, 8, 4 or 2 bits.

    Its 256 rows have 16 bits. Address bits 0 to 7 choose the row; in the narrow modes the bits above them choose one of
    each 16/width neighbouring bits.
    """
    step = 16 // width
    values = [0] * 16
    for address, word in enumerate(words):
        row, offset = address % 256, address // 256
        for bit in range(width):
            values[row // 16] |= (word >> bit & 1) << (16 * (row % 16) + step * bit + offset)
    return {f"INIT_{k:X}": value for k, value in enumerate(values)}


def dp16kd_init(width: int, words: Sequence[int]) -> dict[str, int]:
    """INITVAL_00 to INITVAL_3F of a DP16KD that holds `words` of 18 or 9 bits.

    Each holds 16 rows of 18 bits, at a distance of 20; a row holds two words of 9 bits, the first lowest.
    """
    values = [0] * 64
    for address, word in enumerate(words):
        row, offset = divmod(address * width, 18)
        values[row // 16] |= word << (20 * (row % 16) + offset)
    return {f"INITVAL_{k:02X}": value for k, value in enumerate(values)}


def ram40(width: int, words: Sequence[int], out: Signal, at: Value, write: Write | None = None) -> Instance:
    """SB_RAM40_4K, both ports in the mode of that width."""
    step = 16 // width
    first = {16: 0, 8: 0, 4: 1, 2: 3}[width]  # the pins that a narrow mode uses: every `step`-th from here
    where, word, enable = write or (Const(0, 1), Const(0, width), Const(0, 1))
    mode = {16: 0, 8: 1, 4: 2, 2: 3}[width]
    inputs: list[Value] = [Const(0, 1)] * 16
    outputs: list[Value] = [Signal(name=f"unused_{k}") for k in range(16)]
    for bit in range(width):
        inputs[step * bit + first], outputs[step * bit + first] = word[bit], out[bit]
    arguments: dict[str, Any] = {
        "p_READ_MODE": mode,
        "p_WRITE_MODE": mode,
        **{f"p_{name}": Const(value, 256) for name, value in ram40_init(width, words).items()},
        "i_RCLK": ClockSignal(),
        "i_RCLKE": Const(1, 1),
        "i_RE": Const(1, 1),
        "i_RADDR": fit(at, 11),
        "o_RDATA": Cat(outputs),
        "i_WCLK": ClockSignal(),
        "i_WCLKE": enable,
        "i_WE": Const(int(write is not None), 1),
        "i_WADDR": fit(where, 11),
        "i_WDATA": Cat(inputs),
        "i_MASK": Const(0, 16),
    }
    return Instance("SB_RAM40_4K", **arguments)


def dp16kd(width: int, words: Sequence[int], out: Signal, at: Value, write: Write | None = None) -> Instance:
    """DP16KD that reads through port B and writes, if at all, through port A."""
    reads = _port("B", width, at, out)
    if write is None:
        return _dp16kd_of(width, words, {**_idle("A"), **reads})
    where, word, enable = write
    writes: dict[str, Any] = {
        **_idle("A"),
        **_address("A", width, where),
        **{f"i_DIA{k}": word[k] for k in range(width)},
        "i_CEA": Const(1, 1),
        "i_WEA": enable,
    }
    if width == 18:
        writes |= {"i_ADA0": Const(1, 1), "i_ADA1": Const(1, 1)}  # here the byte enables
    return _dp16kd_of(width, words, {**writes, **reads})


def dp16kd_twin(words: Sequence[int], out: Signal, at: Value) -> Instance:
    """DP16KD as a ROM of 512 words of 36 bits: port A reads the lower halves, port B the upper ones, stored above."""
    halves = [word & 0x3FFFF for word in words]
    halves += [0] * (TWIN[0] - len(halves)) + [word >> 18 for word in words]
    low, high = Cat(fit(at, 9), Const(0, 1)), Cat(fit(at, 9), Const(1, 1))
    return _dp16kd_of(18, halves, {**_port("A", 18, low, out[:18]), **_port("B", 18, high, out[18:])})


def _dp16kd_of(width: int, words: Sequence[int], ports: dict[str, Any]) -> Instance:
    """DP16KD with both ports of that width and with output registers."""
    arguments: dict[str, Any] = {
        "p_DATA_WIDTH_A": width,
        "p_DATA_WIDTH_B": width,
        "p_REGMODE_A": "OUTREG",
        "p_REGMODE_B": "OUTREG",
        "p_RESETMODE": "SYNC",
        "p_ASYNC_RESET_RELEASE": "SYNC",
        "p_WRITEMODE_A": "NORMAL",
        "p_WRITEMODE_B": "NORMAL",
        "p_CSDECODE_A": "0b000",
        "p_CSDECODE_B": "0b000",
        "p_GSR": "DISABLED",
        **{f"p_{name}": Const(value, 320) for name, value in dp16kd_init(width, words).items()},
        **ports,
    }
    return Instance("DP16KD", **arguments)


def _idle(port: str) -> dict[str, Any]:
    """Connections of a port that does nothing."""
    low = Const(0, 1)
    return {
        f"i_CLK{port}": ClockSignal(),
        **{f"i_{pin}{port}": low for pin in ("CE", "WE", "RST")},
        f"i_OCE{port}": Const(1, 1),
        **{f"i_CS{port}{k}": low for k in range(3)},
        **{f"i_AD{port}{k}": low for k in range(14)},
        **{f"i_DI{port}{k}": low for k in range(18)},
    }


def _port(port: str, width: int, at: Value, out: Value) -> dict[str, Any]:
    """Connections of a port that reads."""
    return {
        **_idle(port),
        **_address(port, width, at),
        f"i_CE{port}": Const(1, 1),
        **{f"o_DO{port}{k}": out[k] for k in range(width)},
    }


def _address(port: str, width: int, at: Value) -> dict[str, Any]:
    """The address pins: those below a word of the width are not used."""
    skipped = {18: 4, 9: 3}[width]
    return {f"i_AD{port}{k}": fit(at, 14 - skipped)[k - skipped] for k in range(skipped, 14)}


def spram(out: Signal, at: Value, word: Value, write: Value) -> Instance:
    """SB_SPRAM256KA, which reads 16 bits or, while `write` is high, writes `word`; always awake."""
    return Instance(
        "SB_SPRAM256KA",
        i_ADDRESS=fit(at, 14),
        i_DATAIN=word,
        i_MASKWREN=Const(0xF, 4),
        i_WREN=write,
        i_CHIPSELECT=Const(1, 1),
        i_CLOCK=ClockSignal(),
        i_STANDBY=Const(0, 1),
        i_SLEEP=Const(0, 1),
        i_POWEROFF=Const(1, 1),  # low to switch it off
        o_DATAOUT=out,
    )


def fit(value: Value, bits: int) -> Value:
    """`value` cut or extended by zeros to `bits`."""
    return Cat(value, Const(0, bits))[:bits]
