"""Simulation: cocotb benches, the simulators that run them, and the comparison with the integer model."""

from autapse_sim.verify import Verification, export, simulate, verify

__all__ = ["Verification", "export", "simulate", "verify"]
