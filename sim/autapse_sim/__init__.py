"""Simulation: cocotb benches, the simulators that run them, and the comparison with the integer model."""

from autapse_sim.decompile import NotDecompilableError
from autapse_sim.verify import Verification, export, simulate, verify
from autapse_sim.verify_build import verify_build
from autapse_sim.virtual import BoardCounters, VirtualBoard

__all__ = [
    "BoardCounters",
    "NotDecompilableError",
    "Verification",
    "VirtualBoard",
    "export",
    "simulate",
    "verify",
    "verify_build",
]
