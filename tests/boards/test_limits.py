"""The data sheets' limits: which ones a netlist meets, and what the report says of them."""

import json
from types import SimpleNamespace

import pytest

from autapse.errors import ToolFailedError
from autapse_boards.limits import Limit, clock_limit, limits, lowest
from autapse_boards.parts import ecp5, ice40
from autapse_boards.report import Report
from autapse_boards.timing import Timing

UP5K, HX8K, LP8K = ice40("iCE40UP5K", "SG48"), ice40("iCE40HX8K", "CT256"), ice40("iCE40LP8K", "CM81")
ECP5 = ecp5("LFE5U-25F", "BG381", "6")


def found(tmp_path, part, *cells):
    """Limits by block, of a netlist with cells of these types, parameters, and connections."""
    names = ("type", "parameters", "connections")
    named = {str(k): dict(zip(names, cell, strict=False)) for k, cell in enumerate(cells)}
    (tmp_path / "top.json").write_text(json.dumps({"modules": {"top": {"cells": named}}}))
    return {limit.block: limit.hz and limit.hz / 1e6 for limit in limits(part, tmp_path / "top.json")}


@pytest.mark.parametrize(
    ("part", "mhz"), [(UP5K, 185), (HX8K, 275), (LP8K, 275), (ECP5, 257), (ecp5("LFE5U-25F", "MG285", "8"), 370)]
)
def test_logic_alone_is_limited_by_the_clock_network(tmp_path, part, mhz):
    assert found(tmp_path, part, ("SB_LUT4", {}), ("TRELLIS_FF", {})) == {"clock network": mhz}
    assert clock_limit(part).hz == mhz * 1e6


@pytest.mark.parametrize(("part", "mhz"), [(UP5K, 150), (HX8K, 403), (LP8K, 240)])
@pytest.mark.parametrize("cell", ["SB_RAM40_4K", "SB_RAM40_4KNR"])
def test_block_ram_of_ice40(tmp_path, part, mhz, cell):
    assert found(tmp_path, part, (cell, {}))["block RAM"] == mhz


def test_multiplier_of_ultraplus_by_its_registers(tmp_path):
    """Table 4.17 is for a bypassed pipeline; for a used one the sheet has no figure, and the report says so."""
    plain = found(tmp_path, UP5K, ("SB_MAC16", {"PIPELINE_16x16_MULT_REG1": "0", "A_REG": "1"}))
    assert plain["SB_MAC16 without pipeline registers"] == 50
    for name in ("PIPELINE_16x16_MULT_REG1", "TOP_8x8_MULT_REG"):
        registered = found(tmp_path, UP5K, ("SB_MAC16", {name: "00000000000000000000000000000001"}))
        assert registered == {"clock network": 185, "SB_MAC16 with pipeline registers": None}
    assert found(tmp_path, UP5K, ("SB_SPRAM256KA", {}))["SPRAM"] == 70


def test_blocks_of_ecp5(tmp_path):
    """Reading before writing is slower; yosys sets that mode for memories of constants too, which never write."""
    mode = {"WRITEMODE_A": "READBEFOREWRITE", "WRITEMODE_B": "NORMAL"}
    rest = {"MULT18X18D": 225, "clock network": 257}
    constants = ("DP16KD", mode, {"WEA": ["0"], "WEB": ["0"]})
    assert found(tmp_path, ECP5, ("MULT18X18D", {}), constants) == {**rest, "block RAM": 272}
    written = ("DP16KD", mode, {"WEA": [17], "WEB": ["0"]})
    assert found(tmp_path, ECP5, ("MULT18X18D", {}), written) == {**rest, "block RAM, read before write": 214}
    other = ("DP16KD", mode, {"WEA": ["0"], "WEB": [17]})
    assert found(tmp_path, ECP5, ("MULT18X18D", {}), other) == {**rest, "block RAM": 272}


def test_lowest_comes_first_and_unknown_ones_last(tmp_path):
    blocks = list(found(tmp_path, UP5K, ("SB_MAC16", {"TOP_8x8_MULT_REG": "1"}), ("SB_RAM40_4K", {})))
    assert blocks == ["block RAM", "clock network", "SB_MAC16 with pipeline registers"]
    assert lowest([Limit("a", None, ""), Limit("b", 2.0, ""), Limit("c", 1.0, "")]).block == "c"
    assert lowest([Limit("a", None, "")]) is None


def test_netlist_of_something_else(tmp_path):
    (tmp_path / "top.json").write_text("{}")
    with pytest.raises(ToolFailedError, match=r"netlist top\.json is not as expected"):
        limits(UP5K, tmp_path / "top.json")


def test_allowed_clock_is_the_lower_one():
    limit = Limit("block RAM", 150e6, "table 4.16")
    assert Timing(104e6, 60e6, (), {}, (limit,)).allowed_hz == 104e6
    assert Timing(211e6, 60e6, (), {}, (limit, Limit("x", None, ""))).allowed_hz == 150e6
    assert Timing(211e6, 60e6, (), {}).allowed_hz == 211e6


def test_report_says_who_limits_the_clock():
    limit, unknown = Limit("block RAM", 150e6, "table 4.16"), Limit("SB_MAC16", None, "none")
    free = SimpleNamespace(fmax_hz=104e6, timing_hz=104e6, clamped_by=None, limits=(limit, unknown))
    assert Report.allowed.fget(free) == "timing allows 104.0 MHz; no figure for SB_MAC16"
    clamped = SimpleNamespace(fmax_hz=150e6, timing_hz=211e6, clamped_by=limit, limits=(limit,))
    assert (
        Report.allowed.fget(clamped)
        == "the data sheet allows 150.0 MHz (block RAM: table 4.16), timing alone 211.0 MHz"
    )
