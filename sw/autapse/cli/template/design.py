"""What this project is made of, as design.toml says: the network, its fixed-point form, and its place on the board."""

import tomllib
from functools import cache
from pathlib import Path

import numpy as np

import autapse
from autapse_boards import fit

HERE = Path(__file__).resolve().parent
SETTINGS = tomllib.loads((HERE / "design.toml").read_text())
BOARD = SETTINGS["board"]["name"]
FREQUENCY = SETTINGS["board"].get("frequency")


@cache
def network():
    """The trained network, in float64."""
    return autapse.load(HERE / SETTINGS["network"]["file"])


@cache
def quantized():
    """The network in the word lengths of design.toml: what the circuit computes, bit for bit."""
    return autapse.quantize(network(), calibrate=stimulus(), **SETTINGS["words"])


@cache
def plan():
    """Lanes and their form: the fastest core that fits the board."""
    return fit(quantized(), BOARD)


@cache
def stimulus():
    """Inputs that the tests run, (batch, time, inputs).

    Random levels, each held for ten steps. Put your own data here: np.load(HERE / "x.npy").
    """
    reach = SETTINGS["words"]["input_range"]
    levels = np.random.default_rng(0).uniform(-reach, reach, (4, 10, network().inputs))
    return np.repeat(levels, 10, axis=1)
