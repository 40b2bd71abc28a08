"""Autapse: a trained recurrent neural network in, a proven circuit out.

net  = autapse.load("model.hdf5")                     # Network, weights [to, from], float64
q    = autapse.quantize(net, weight_bits=8, state_bits=8, input_range=1.0)
traj = q.run(x)                                       # x (batch, time, inputs); traj.z, traj.h
autapse.verify(q, lanes=8, steps=200)                 # the circuit against the integer model, exactly
autapse.build(q, board="icebreaker", out="build")     # a bitstream, and its report
autapse.reweight("build", q2)                         # other weights of the same shape, in seconds
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autapse.errors import AutapseError
from autapse.fixed import Format
from autapse.loading import load
from autapse.network import Network, Trajectory
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork, load_quantized

if TYPE_CHECKING:
    VirtualBoard: Any
    build: Any
    reweight: Any
    verify: Any

__version__ = "0.1.0"

__all__ = [
    "AutapseError",
    "Format",
    "Network",
    "QuantizedNetwork",
    "Trajectory",
    "VirtualBoard",
    "__version__",
    "build",
    "load",
    "load_quantized",
    "quantize",
    "reweight",
    "verify",
]

# The calls that lead up into other packages are looked up when they are used: importing autapse needs numpy and
# amaranth only, and autapse itself stays below the packages that build on it.
_ABOVE = {
    "build": "autapse_boards",
    "reweight": "autapse_boards",
    "verify": "autapse_sim",
    "VirtualBoard": "autapse_sim",
}


def __getattr__(name: str) -> Any:
    if name in _ABOVE:
        return getattr(import_module(_ABOVE[name]), name)
    raise AttributeError(f"module 'autapse' has no attribute {name!r}")
