"""The rate network as a dynamical system: equation, step, linearisation, and in which order they may be taken."""

from autapse.dynamics.interchange import Interchange, interchange, scaling
from autapse.dynamics.linear import Modes, linearize_network, modes, network_jacobian, slope
from autapse.dynamics.maps import dequantized, run_from, step
from autapse.dynamics.rate import RateODE
from autapse.dynamics.solver import Solution
from autapse.dynamics.stepping import Stability

__all__ = [
    "Interchange",
    "Modes",
    "RateODE",
    "Solution",
    "Stability",
    "dequantized",
    "interchange",
    "linearize_network",
    "modes",
    "network_jacobian",
    "run_from",
    "scaling",
    "slope",
    "step",
]
