"""The rate network as a dynamical system: equation, step, linearisation, and in which order they may be taken."""

from autapse.dynamics.interchange import Interchange, interchange, scaling
from autapse.dynamics.linear import Modes, modes, network_jacobian
from autapse.dynamics.maps import dequantized, run_from, step
from autapse.dynamics.rate import RateODE
from autapse.dynamics.solver import Solution
from autapse.dynamics.stepping import Stability
from autapse.tangent import slope

__all__ = [
    "Interchange",
    "Modes",
    "RateODE",
    "Solution",
    "Stability",
    "dequantized",
    "interchange",
    "modes",
    "network_jacobian",
    "run_from",
    "scaling",
    "slope",
    "step",
]
