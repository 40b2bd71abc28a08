"""Small networks for the proofs of the core."""

import numpy as np

from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork


def small(units: int, inputs: int, outputs: int, bits: int = 4) -> QuantizedNetwork:
    """A seeded network of that shape, in words of `bits`."""
    rng = np.random.default_rng(units)
    network = Network(
        W=rng.normal(size=(units, units)),
        W_in=rng.normal(size=(units, inputs)),
        b=0.1 * rng.normal(size=units),
        W_out=rng.normal(size=(outputs, units)),
        b_out=0.1 * rng.normal(size=outputs),
    )
    return quantize(network, weight_bits=bits, state_bits=bits, input_bits=bits)
