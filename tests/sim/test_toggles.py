"""Toggle coverage of the RTL, as Verilator reports it."""

import numpy as np
import pytest

from autapse.network import Network
from autapse.quantize import quantize
from autapse_sim.toggles import Toggles, read_coverage, toggles


def point(instance, bit, count, page="v_toggle/board"):
    fields = {"f": "board.v", "l": "25", "page": page, "o": bit, "h": instance}
    return "C '" + "".join(f"\x01{key}\x02{value}" for key, value in fields.items()) + f"' {count}"


def test_points_are_counted_by_instance():
    lines = [
        "# SystemC::Coverage-3",
        point("TOP.core", "a[0]:0->1", 3),
        point("TOP.core", "a[0]:1->0", 0),
        point("TOP.core.drain", "left", 1),
        point("TOP.core", "block", 0, page="v_line/board"),
    ]
    found = read_coverage("\n".join(lines))
    assert found == [Toggles("core", 1, 2, ("a[0]:1->0",)), Toggles("core.drain", 1, 1, ())]
    assert found[0].share == 0.5


@pytest.mark.slow
def test_the_bench_moves_nearly_all_of_the_core():
    rng = np.random.default_rng(3)
    net = Network(W=0.6 * rng.normal(size=(6, 6)), W_in=rng.normal(size=(6, 2)), W_out=rng.normal(size=(2, 6)))
    found = {each.instance.rpartition(".")[2]: each for each in toggles(quantize(net), 3)}
    assert {"drain", "sequencer", "weights", "store"} <= found.keys()
    assert found["drain"].share > 0.9
    assert sum(t.seen for t in found.values()) > 0.8 * sum(t.points for t in found.values())
