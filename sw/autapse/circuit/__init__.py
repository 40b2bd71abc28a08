"""Electrical circuits of rate networks: synthesis in two dual forms, netlists, simulation, practical values.

c = synthesize(equation)                      # or from_network(net) first; form="series" for the dual
compare(c, Stimulus.default(c.equation))      # ngspice against scipy
errors(round_values(c, "E24"))                # what preferred values cost
"""

from autapse.circuit.compare import Comparison, compare
from autapse.circuit.equation import Equation, RateEquation, from_network
from autapse.circuit.eseries import nearest
from autapse.circuit.levels import PARALLEL, SERIES, Form, Levels
from autapse.circuit.netlist import netlist
from autapse.circuit.ngspice import find_ngspice, run_ngspice
from autapse.circuit.nport import NPort
from autapse.circuit.stimulus import Stimulus, solve
from autapse.circuit.structure import dale, symmetrizing_scale
from autapse.circuit.synthesis import Circuit, Realised, counts, synthesize
from autapse.circuit.tolerance import Spread, errors, monte_carlo, round_values

__all__ = [
    "PARALLEL",
    "SERIES",
    "Circuit",
    "Comparison",
    "Equation",
    "Form",
    "Levels",
    "NPort",
    "RateEquation",
    "Realised",
    "Spread",
    "Stimulus",
    "compare",
    "counts",
    "dale",
    "errors",
    "find_ngspice",
    "from_network",
    "monte_carlo",
    "nearest",
    "netlist",
    "round_values",
    "run_ngspice",
    "solve",
    "symmetrizing_scale",
    "synthesize",
]
