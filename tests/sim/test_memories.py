# amaranth: UnusedElaboratable=no
"""ROM and RAM of every kind on Verilator, with models of the vendors' block RAMs, against a Python list."""

import json
import random
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse_hw.memories import LATENCY, Ram, Rom
from autapse_sim.models import cell_models
from autapse_sim.simulator import run_bench
from autapse_sim.verilog import to_verilog

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


def simulate(folder: Path, top: wiring.Component, bench: str) -> None:
    source = to_verilog(top, "top")
    (folder / "top.v").write_text(source + cell_models(source))
    (folder / "bench.py").write_text(bench)
    run_bench(folder, top="top", module="bench")


@pytest.mark.slow
@pytest.mark.parametrize("kind", LATENCY)
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
    simulate(tmp_path, Memories(memories), BENCH)
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert set(counts) == set(spec)
    for name, count in counts.items():
        assert count > (CYCLES / 4 if spec[name]["writable"] else CYCLES - 3), name
