"""Pads and PLL of a synthesised netlist give way to ports; all else stays."""

import json

import pytest

from autapse.errors import FileFormatError
from autapse_sim.netlist import _strip, gates_source

PINS = {"uart_0__rx__io": 2, "uart_0__tx__io": 3, "rgb_led_0__g__io": 4, "clk12_0__io": 5, "button_0__io": 6}
RX, TX, LED, CLOCK, LOCK, PRESSED = 10, 11, 12, 13, 14, 15


def pad(pin, **nets):
    return {"type": "SB_IO", "connections": {"PACKAGE_PIN": [PINS[pin]], **{name: [bit] for name, bit in nets.items()}}}


def module(*, pll):
    """A look-up table between the pins, and a flip-flop that the lock releases."""
    cells = {
        "rx": pad("uart_0__rx__io", D_IN_0=RX),
        "tx": pad("uart_0__tx__io", D_OUT_0=TX),
        "led": pad("rgb_led_0__g__io", D_OUT_0=LED),
        "button": pad("button_0__io", D_IN_0=PRESSED),
        "lut": {"type": "SB_LUT4", "connections": {"I0": [RX], "I1": [LOCK], "I2": [PRESSED], "I3": ["1"], "O": [TX]}},
        "note": {"type": "$scopeinfo", "connections": {}},
    }
    if pll:
        nets = {"PACKAGEPIN": [5], "PLLOUTGLOBAL": [CLOCK], "LOCK": [LOCK], "RESETB": ["1"]}
        cells["pll"] = {"type": "SB_PLL40_PAD", "connections": nets}
    else:
        cells["clock"] = pad("clk12_0__io", D_IN_0=CLOCK)
    ports = {name: {"direction": "inout", "bits": [bit]} for name, bit in PINS.items()}
    return {"ports": ports, "cells": cells, "netnames": {"all": {"bits": [*range(2, 16), "0"]}}}


@pytest.mark.parametrize("pll", [True, False])
def test_ports_take_the_place_of_pads(pll):
    stripped, types = _strip(module(pll=pll))
    ports = {name: (port["direction"], *port["bits"]) for name, port in stripped["ports"].items()}
    awake = ports.pop("awake")[1]
    assert ports == {"rx": ("input", RX), "tx": ("output", TX), "activity": ("output", LED), "clk": ("input", CLOCK)}
    assert awake > 15
    assert types == {"SB_LUT4"}
    lock = awake if pll else LOCK
    connections = stripped["cells"]["lut"]["connections"]
    assert connections == {"I0": [RX], "I1": [lock], "I2": [awake], "I3": ["1"], "O": [TX]}


def test_netlist_without_its_pins(tmp_path):
    lacking = module(pll=True)
    del lacking["cells"]["tx"]
    (tmp_path / "top.json").write_text(json.dumps({"modules": {"top": lacking}}))
    with pytest.raises(FileFormatError, match=r"not a netlist of ours: .*no pin for tx"):
        gates_source(tmp_path, tmp_path / "top.json")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"modules": {"top": 3}}'])
def test_file_that_is_no_netlist(tmp_path, text):
    (tmp_path / "top.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"top\.json: not a netlist of ours"):
        gates_source(tmp_path, tmp_path / "top.json")
