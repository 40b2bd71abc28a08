"""Pads and PLL of a board's netlist give way to ports; all else stays."""

import json

import pytest

from autapse.errors import FileFormatError
from autapse_sim.netlist import _strip, board_source

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
        cells["clock"] = pad("clk12_0__io", GLOBAL_BUFFER_OUTPUT=CLOCK) | {"type": "SB_GB_IO"}
    ports = {name: {"direction": "inout", "bits": [bit]} for name, bit in PINS.items()}
    return {"ports": ports, "cells": cells, "netnames": {"all": {"bits": [*range(2, 16), "0"]}}}


@pytest.mark.parametrize("pll", [True, False])
def test_ports_take_the_place_of_pads(pll):
    stripped, types = _strip(module(pll=pll))
    ports = {name: (port["direction"], *port["bits"]) for name, port in stripped["ports"].items()}
    awake = ports.pop("awake")[1]
    assert ports.pop("asleep") == ("input", awake + 1)
    assert ports == {"rx": ("input", RX), "tx": ("output", TX), "activity": ("output", LED), "clk": ("input", CLOCK)}
    assert awake > 15
    assert types == {"SB_LUT4"}
    lock = awake if pll else LOCK
    connections = stripped["cells"]["lut"]["connections"]
    assert connections == {"I0": [RX], "I1": [lock], "I2": [awake], "I3": ["1"], "O": [TX]}


def test_a_button_that_rests_low():
    stripped, _ = _strip(module(pll=False), ["button_0__io"])
    (asleep,) = stripped["ports"]["asleep"]["bits"]
    assert stripped["cells"]["lut"]["connections"]["I2"] == [asleep]


def test_ecp5():
    """Other cells, and a board without an LED."""
    m = module(pll=True)
    for name, cell in m["cells"].items():
        nets = cell["connections"]
        if cell["type"] == "SB_IO":
            names = {"PACKAGE_PIN": "B", "D_IN_0": "O", "D_OUT_0": "I"}
            m["cells"][name] = {
                "type": "TRELLIS_IO",
                "connections": {names[port]: bits for port, bits in nets.items()},
            }
    del m["cells"]["led"], m["ports"]["rgb_led_0__g__io"]
    m["cells"]["pll"] = {"type": "EHXPLLL", "connections": {"CLKOP": [CLOCK], "LOCK": [LOCK]}}
    stripped, types = _strip(m)
    ports = {name: (port["direction"], *port["bits"]) for name, port in stripped["ports"].items()}
    assert {name: ports[name] for name in ("rx", "tx", "clk", "activity")} == {
        "rx": ("input", RX),
        "tx": ("output", TX),
        "clk": ("input", CLOCK),
        "activity": ("output", "0"),
    }
    assert types == {"SB_LUT4"}


def test_pins_without_pads_are_nets():
    """As of a bitstream that was decompiled: cells of yosys's own, whose initial values are kept."""
    directions = {"uart_0__rx__io": "input", "uart_0__tx__io": "output", "button_0__io": "input"}
    directions |= {"rgb_led_0__g__io": "output", "clk12_0__io": "input"}
    cells = {"mux": {"type": "$mux", "connections": {"A": [2], "B": [6], "S": [2], "Y": [3]}}}
    netnames = {"n": {"bits": [3], "attributes": {"init": "0"}}, "m": {"bits": [4], "attributes": {}}}
    ports = {name: {"direction": directions[name], "bits": [bit]} for name, bit in PINS.items()}
    stripped, types = _strip({"ports": ports, "cells": cells, "netnames": netnames})
    found = {name: (port["direction"], *port["bits"]) for name, port in stripped["ports"].items()}
    awake = found.pop("awake")[1]
    assert found.pop("asleep")[1] == awake + 1 == 6
    assert found == {"rx": ("input", 2), "tx": ("output", 3), "activity": ("output", 4), "clk": ("input", 5)}
    assert stripped["cells"]["mux"]["connections"]["B"] == [awake]  # the button
    assert (types, list(stripped["netnames"])) == (set(), ["n"])


def test_netlist_without_its_pins(tmp_path):
    lacking = module(pll=True)
    del lacking["cells"]["tx"]
    (tmp_path / "top.json").write_text(json.dumps({"modules": {"top": lacking}}))
    (tmp_path / "top.pcf").write_text("")
    with pytest.raises(FileFormatError, match=r"not a netlist of ours: .*no pin for tx"):
        board_source(tmp_path, tmp_path / "top.json", tmp_path / "top.pcf", "ice40")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"modules": {"top": 3}}'])
def test_file_that_is_no_netlist(tmp_path, text):
    (tmp_path / "top.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"top\.json: not a netlist of ours"):
        board_source(tmp_path, tmp_path / "top.json", tmp_path / "top.pcf", "ice40")
