"""The core as synthesised: cells of one family, for a simulator, with models of all of them."""

from __future__ import annotations

import re
from pathlib import Path

from autapse_hw.core import Core
from autapse_hw.lanes import LaneForm, get_form
from autapse_hw.names import plain_names
from autapse_sim.models import gate_models
from autapse_sim.verilog import run_yosys

FAMILIES = ("ice40", "ecp5")
_NETLIST = "netlist"


def family_of(form: str | LaneForm, family: str | None = None) -> str:
    """The family whose cells a form is made of; of the generic one, the given `family`, ``ice40`` without.

    ValueError for an unknown family, and for one that the form is not made for.
    """
    if family not in (None, *FAMILIES):
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}; not {family!r}")
    form = get_form(form)
    if form.memory not in FAMILIES:
        return family or FAMILIES[0]
    if family not in (None, form.memory):
        raise ValueError(f"lane form {form.name} is made of cells of {form.memory}, not of {family}")
    return form.memory


def gates_source(folder: Path, core: Core, name: str, family: str) -> str:
    """Verilog of the netlist of `core`, with its ports, and of its cells; `folder` is for intermediate files.

    As for a board (`autapse_boards`), but without pads, and flat, in a module inside the one of that `name`.
    """
    netlist = synthesise(folder, core, family)
    # An instance: its type, and then either parameters or its name and the connections.
    cells = re.findall(r"^  ([A-Z]\w*) (?:#\(|\S+ +\()", netlist, re.MULTILINE)
    return gate_models(family, cells) + netlist + _around(netlist, name)


def _around(netlist: str, name: str) -> str:
    """A module with the ports of the netlist and nothing else: of the inner nets none has to be kept for a bench."""
    ports = re.findall(r"^  (?:input|output) .*?(\w+);$", netlist, re.MULTILINE)
    declared = re.findall(r"^  (?:input|output) .*;$", netlist, re.MULTILINE)
    inner = f"  {_NETLIST} inner({', '.join(f'.{port}({port})' for port in ports)});"
    return "\n".join((f"module {name}({', '.join(ports)});", *declared, inner, "endmodule", ""))


def synthesise(folder: Path, core: Core, family: str) -> str:
    """The netlist of `core` that yosys makes, in Verilog. ToolFailedError with what it says if it fails."""
    from amaranth.back import rtlil  # type: ignore[attr-defined]  # not in the stubs

    (folder / "core.il").write_text(plain_names(rtlil.convert(core, name=_NETLIST)), encoding="utf-8")
    options = f"-device {'u' if core.form.lanes_per_block else 'hx'}" if family == "ice40" else ""
    script = (
        f"read_rtlil core.il; synth_{family} {options} -top {_NETLIST}; "
        "delete t:$scopeinfo; opt_clean -purge; write_verilog -noattr gates.v"
    )
    run_yosys(folder, "synthesis.log", script, "yosys does not synthesise the core")
    return (folder / "gates.v").read_text(encoding="utf-8")
