# amaranth: UnusedElaboratable=no
"""ROM and RAM of every kind on Verilator, with models of the vendors' block RAMs, against a Python list."""

import json
import random
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockSignal, Const, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse.errors import ToolFailedError
from autapse_hw.block_rams import dp16kd_init
from autapse_hw.memories import Ram, Rom
from autapse_sim.models import cell_models
from autapse_sim.simulator import run_bench
from autapse_sim.verilog import run_yosys, to_verilog

# width, depth: of all modes, with one bank and with several, the last of them full or not
SHAPES = [
    *((1, 1), (1, 2), (2, 2100), (3, 1100), (8, 300), (9, 255), (9, 1100), (18, 600)),
    *((19, 513), (36, 512), (36, 1025), (37, 40), (128, 17)),
]
WIDE = (500, 40)  # a ROM only: it takes many blocks, and each of them takes the compiler a second
CYCLES = 3000


class Memories(wiring.Component):
    """Many memories; those of one depth share their addresses."""

    def __init__(self, memories):
        self._memories = memories
        depths = {m.depth for m in memories.values()}
        width = max(m.width for m in memories.values())
        super().__init__(
            {
                **{f"{port}_{depth}": In(range(max(2, depth))) for depth in depths for port in ("addr", "w_addr")},
                "w_data": In(width),
                "w_en": In(1),
                **{name: Out(memory.width) for name, memory in memories.items()},
            }
        )

    def elaborate(self, platform):
        m = Module()
        for name, memory in self._memories.items():
            m.submodules[f"memory_{name}"] = memory
            m.d.comb += [
                memory.addr.eq(getattr(self, f"addr_{memory.depth}")),
                getattr(self, name).eq(memory.data),
            ]
            if isinstance(memory, Ram):
                m.d.comb += [
                    memory.w_addr.eq(getattr(self, f"w_addr_{memory.depth}")),
                    memory.w_data.eq(self.w_data),
                    memory.w_en.eq(self.w_en),
                ]
        return m


BENCH = """
import json
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge


@cocotb.test()
async def same_as_a_list(dut):
    spec = json.loads(Path("spec.json").read_text())
    rng = random.Random(2)
    contents = {name: list(m["init"]) for name, m in spec["memories"].items()}
    depths = {m["depth"] for m in spec["memories"].values()}
    width = max(m["width"] for m in spec["memories"].values())
    expected = {name: [] for name in contents}  # by cycle of the address; None where undefined
    counts = dict.fromkeys(contents, 0)
    dut.rst.value = 0
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start(start_high=False))
    await RisingEdge(dut.clk)
    for cycle in range(spec["cycles"]):
        addr = {d: rng.choice((rng.randrange(d), rng.randrange(d), d - 1, 0)) for d in depths}
        w_addr = {d: rng.choice((rng.randrange(d), addr[d])) for d in depths}
        w_data, w_en = rng.getrandbits(width), rng.random() < 0.6
        dut.w_data.value, dut.w_en.value = w_data, w_en
        for d in depths:
            getattr(dut, f"addr_{d}").value = addr[d]
            getattr(dut, f"w_addr_{d}").value = w_addr[d]
        await ReadOnly()  # what the last edge gave
        for name, m in spec["memories"].items():
            if cycle >= m["latency"]:
                wanted = expected[name][cycle - m["latency"]]
                got = int(getattr(dut, name).value)
                assert wanted is None or got == wanted, f"{name}, cycle {cycle}: {got:x}, not {wanted:x}"
                counts[name] += wanted is not None
            writes = m["writable"] and w_en
            at = addr[m["depth"]]
            expected[name].append(None if writes and w_addr[m["depth"]] == at else contents[name][at])
            if writes:
                contents[name][w_addr[m["depth"]]] = w_data & ((1 << m["width"]) - 1)
        await RisingEdge(dut.clk)
    Path("counts.json").write_text(json.dumps(counts))
"""


def simulate(folder: Path, source: str, bench: str) -> None:
    (folder / "top.v").write_text(source + cell_models(source))
    (folder / "bench.py").write_text(bench)
    run_bench(folder, top="top", module="bench")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["generic", "ice40", "ecp5"])
def test_same_as_a_list(kind, tmp_path):
    rng = random.Random(1)
    memories, spec = {}, {}
    for part, shapes in ((Rom, [*SHAPES, WIDE]), (Ram, SHAPES)):
        for width, depth in shapes:
            name = f"{part.__name__.lower()}_{width}_{depth}"
            init = [rng.getrandbits(width) for _ in range(depth)]
            memories[name] = memory = part(width, depth, init, kind)
            facts = {"latency": memory.latency, "writable": part is Ram}
            spec[name] = {"width": width, "depth": depth, "init": init, **facts}
    (tmp_path / "spec.json").write_text(json.dumps({"memories": spec, "cycles": CYCLES}))
    simulate(tmp_path, to_verilog(Memories(memories), "top"), BENCH)
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert set(counts) == set(spec)
    for name, count in counts.items():
        assert count > (CYCLES / 4 if spec[name]["writable"] else CYCLES - 3), name


@pytest.mark.slow
def test_our_dp16kd_does_what_yosys_expects_of_it(tmp_path):
    """Memories that yosys infers: our packing gives its INITVALs, and with our model its netlist is the same list."""
    rng = random.Random(3)
    memories, spec = {}, {}
    for part in (Rom, Ram):
        for width, depth in ((18, 1024), (9, 2048)):
            name = f"{part.__name__.lower()}_{width}_{depth}"
            init = [rng.getrandbits(width) for _ in range(depth)]
            memories[name] = memory = part(width, depth, init, "generic")
            facts = {"latency": memory.latency, "writable": part is Ram}
            spec[name] = {"width": width, "depth": depth, "init": init, **facts}
    (tmp_path / "top.il").write_text(rtlil.convert(Memories(memories), name="top"))
    script = "read_rtlil top.il; synth_ecp5 -top top -json top.json; write_verilog -noattr top.v"
    run_yosys(tmp_path, "yosys.log", script, "synthesis failed")
    cells = json.loads((tmp_path / "top.json").read_text())["modules"]["top"]["cells"]
    cells = {name: cell for name, cell in cells.items() if cell["type"] != "$scopeinfo"}
    assert [cell["type"] for cell in cells.values()] == ["DP16KD"] * 4
    for name, facts in spec.items():
        (parameters,) = (c["parameters"] for n, c in cells.items() if n.startswith(f"memory_{name}."))
        found = {key: int(value, 2) for key, value in parameters.items() if key.startswith("INITVAL")}
        assert found == dp16kd_init(facts["width"], facts["init"])
    (tmp_path / "spec.json").write_text(json.dumps({"memories": spec, "cycles": CYCLES}))
    simulate(tmp_path, (tmp_path / "top.v").read_text(), BENCH)
    assert set(json.loads((tmp_path / "counts.json").read_text())) == set(spec)


WRONG = {
    "mode": ({"p_DATA_WIDTH_A": 36}, {}),
    "pin": ({}, {"i_RSTB": Const(1, 1)}),
}
LOW = [pin.format(port) for pin in ("RST{}", "CS{}0", "CS{}1", "CS{}2", "WE{}") for port in "AB"]
IDLE = """
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles


@cocotb.test()
async def runs(dut):
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start(start_high=False))
    await ClockCycles(dut.clk, 10)
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", WRONG)
def test_a_mode_that_the_model_does_not_have(what, tmp_path):
    parameters, pins = WRONG[what]

    class Wrong(wiring.Component):
        a: In(1)
        z: Out(1)

        def elaborate(self, platform):
            m = Module()
            m.submodules.ram = Instance(
                "DP16KD",
                **({"p_DATA_WIDTH_A": 18, "p_DATA_WIDTH_B": 18} | parameters),
                **({f"i_{pin}": Const(0, 1) for pin in LOW} | pins),
                i_CLKA=ClockSignal(),
                i_CLKB=ClockSignal(),
                i_ADA4=self.a,
                o_DOA0=self.z,
            )
            return m

    with pytest.raises(ToolFailedError):
        simulate(tmp_path, to_verilog(Wrong(), "top"), IDLE)
    assert f"DP16KD: a {what} that this model does not have" in (tmp_path / "simulation.log").read_text()
