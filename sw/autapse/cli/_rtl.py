"""The circuit on Verilator, for the commands that show it beside other levels."""

from __future__ import annotations

from collections.abc import Callable

from autapse.errors import MissingToolError
from autapse.fixed import FloatArray, IntArray
from autapse.quantized import QuantizedNetwork


def simulated(q: QuantizedNetwork, codes: IntArray, say: Callable[[str], None]) -> tuple[FloatArray | None, str | None]:
    """The outputs (time, outputs) of the simulated core for input codes (1, time, inputs); or why there are none.

    The bench also compares every state with the integer model's.
    """
    from autapse_sim import simulate

    try:
        sent = simulate(q, codes, lanes=min(8, q.units + q.outputs), progress=say)
    except MissingToolError as error:
        return None, str(error)
    return q.formats.z.dequantize(sent[0]), None
