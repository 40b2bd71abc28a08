"""The formal proofs: they hold, and each of them fails when a fault is planted in its block."""

import importlib
import importlib.util
import inspect
import json
from dataclasses import dataclass, replace
from types import ModuleType

import pytest
from typer.testing import CliRunner

from autapse.cli import app
from autapse_hw.formal import PROOFS
from autapse_hw.formal.accumulation import accumulation_proof
from autapse_hw.formal.networks import small
from autapse_sim.prove import prove, prove_all, select

FAST = ("skid-buffer",)


@dataclass(frozen=True)
class Fault:
    """A change to the source of a class or function, the module that uses it, and the proof that must notice."""

    proof: str
    block: str
    source: str
    old: str
    new: str
    holder: str


def mutant(source: str, old: str, new: str) -> ModuleType:
    """A module with a fault in it, beside the real one."""
    text = inspect.getsource(importlib.import_module(source))
    assert text.count(old) == 1, f"{old!r} must stand once in {source}"
    spec = importlib.util.spec_from_loader(f"{source}_mutant", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    exec(compile(text.replace(old, new), f"{source}_mutant", "exec"), module.__dict__)
    return module


FAULTS = [
    Fault(
        "stream-register",
        "StreamRegister",
        "autapse_hw.buffers",
        "self.i.ready.eq(~self.o.valid)",
        "self.i.ready.eq(1)",
        "autapse_hw.formal.streams",
    ),
    Fault(
        "skid-buffer",
        "SkidBuffer",
        "autapse_hw.buffers",
        "[spare.eq(self.i.payload), full.eq(1)]",
        "[spare.eq(self.o.payload), full.eq(1)]",
        "autapse_hw.formal.streams",
    ),
    Fault(
        "output-buffer-3x1",
        "OutputBuffer",
        "autapse_hw.outputs",
        "self.room.eq(taken != self._steps)",
        "self.room.eq(1)",
        "autapse_hw.formal.streams",
    ),
    Fault(
        "output-buffer-4x2",
        "OutputBuffer",
        "autapse_hw.outputs",
        "turn.eq(Mux(left == 0, 0, successor(turn, queues)))",
        "turn.eq(0)",
        "autapse_hw.formal.streams",
    ),
    Fault(
        "uart-tx-4.5",
        "UartTx",
        "autapse_hw.uart",
        "timer.eq(bit - 2 * one)",
        "timer.eq(bit - 3 * one)",
        "autapse_hw.formal.uart",
    ),
    Fault(
        "uart-rx-4",
        "UartRx",
        "autapse_hw.uart",
        "good = line & (ending | late)",
        "good = line & ending",
        "autapse_hw.formal.uart",
    ),
    Fault(
        "receive-buffer",
        "ReceiveBuffer",
        "autapse_hw.receive",
        "comes.eq(self.i.valid & ~full)",
        "comes.eq(self.i.valid)",
        "autapse_hw.formal.buffering",
    ),
    Fault(
        "cobs-decoder",
        "CobsDecoder",
        "autapse_hw.framing",
        "owed.eq(~zero & Mux(at_length, ~full, owed))",
        "owed.eq(~zero & Mux(at_length, 1, owed))",
        "autapse_hw.formal.framing",
    ),
    Fault(
        "checksum",
        "Checksum",
        "autapse_hw.checksum",
        "Mux(self.step, self.byte[:4], self.byte[4:])",
        "Mux(self.step, self.byte[4:], self.byte[:4])",
        "autapse_hw.formal.framing",
    ),
    Fault(
        "transmit-buffer",
        "TransmitBuffer",
        "autapse_hw.transmit",
        "again.eq(self.replay | (again & ~rest))",
        "again.eq(self.replay)",
        "autapse_hw.formal.sending",
    ),
    Fault(
        "transmit-buffer",
        "TransmitBuffer",
        "autapse_hw.transmit",
        "with m.Elif(finished & differs):",
        "with m.Elif(finished):",
        "autapse_hw.formal.sending",
    ),
    Fault(
        "server-verdict",
        "Server",
        "autapse_hw.server",
        "self._known & checksum.match",
        "self._known",
        "autapse_hw.formal.judging",
    ),
    Fault(
        "server-verdict",
        "ServerVerdict",
        "autapse_hw.server_verdict",
        "opened & matches & room",
        "opened & matches",
        "autapse_hw.server",
    ),
    Fault(
        "state-reader-row",
        "StateReader",
        "autapse_hw.state_reader",
        "fetched.eq(wait == FETCH)",
        "fetched.eq(wait == FETCH - 1)",
        "autapse_hw.formal.reading",
    ),
    Fault(
        "state-reader-tiles",
        "StateReader",
        "autapse_hw.state_reader",
        "drain.eq(s.outputs % t.drains)",
        "drain.eq(0)",
        "autapse_hw.formal.reading",
    ),
    Fault(
        "sequencer-tiles",
        "Sequencer",
        "autapse_hw.sequencer",
        "s.tile_cycles + s.stall - 3",
        "s.tile_cycles - 3",
        "autapse_hw.formal.timetable",
    ),
    Fault(
        "sequencer-columns",
        "Sequencer",
        "autapse_hw.sequencer",
        "s.inputs - 1) // s.tiling.cols + 1",
        "s.inputs - 1) // s.tiling.cols",
        "autapse_hw.formal.timetable",
    ),
    Fault(
        "sequencer-turns",
        "Sequencer",
        "autapse_hw.sequencer",
        "go_step & ~all_owed) - go_flush",
        "go_step & ~all_owed) - (go_flush | (go_step & all_owed))",
        "autapse_hw.formal.timetable",
    ),
    Fault(
        "arrival-tiles",
        "Core",
        "autapse_hw.core",
        "drain.prepare.eq(delayed_flag(m, sequencer.last, ahead))",
        "drain.prepare.eq(delayed_flag(m, sequencer.last, ahead + 1))",
        "autapse_hw.formal.sequencing",
    ),
    Fault(
        "arrival-columns",
        "Core",
        "autapse_hw.core",
        "drain.step.eq(delayed(m, sequencer.step, ahead))",
        "drain.step.eq(delayed(m, sequencer.step, 0))",
        "autapse_hw.formal.sequencing",
    ),
    Fault(
        "places-tiles",
        "StateStore",
        "autapse_hw.state",
        "room.eq(self.loaded & ~ready & ~soon)",
        "room.eq(self.loaded & ~ready)",
        "autapse_hw.formal.sequencing",
    ),
    Fault(
        "places-columns",
        "StateStore",
        "autapse_hw.state",
        "slot.eq(slot + (phase == phases - 1))",
        "slot.eq(slot + 1)",
        "autapse_hw.formal.sequencing",
    ),
    Fault(
        "order-columns",
        "Schedule",
        "autapse_hw.schedule",
        "self.slots - 1 + self.latency",
        "self.slots - 2 + self.latency",
        "autapse_hw.core",
    ),
    Fault(
        "arbitration",
        "Core",
        "autapse_hw.core",
        "sequencer.start.eq(store.loaded & ~store.dumping)",
        "sequencer.start.eq(store.loaded)",
        "autapse_hw.formal.sequencing",
    ),
    Fault(
        "lane-mac8x8-8x8",
        "_mac16",
        "autapse_hw.lanes.ice40",
        '"p_B_SIGNED": 1',
        '"p_B_SIGNED": 0',
        "autapse_hw.lanes.ice40",
    ),
    Fault(
        "lane-booth-6x6",
        "low_term",
        "autapse_hw.lanes.ice40_logic",
        "delayed(m, ~digit.any(), 1)",
        "delayed(m, digit.any(), 1)",
        "autapse_hw.lanes.ice40_logic",
    ),
    Fault(
        "lane-mult18-18x18",
        "_at_top",
        "autapse_hw.lanes.ecp5",
        "Const(0, 18 - len(value)), value)",
        "Const(0, 18 - len(value)), value[0], value[:-1])",
        "autapse_hw.lanes.ecp5",
    ),
    Fault(
        "table-tanh-linear",
        "ActivationUnit",
        "autapse_hw.activation",
        "[: largest.bit_length()]",
        "[: largest.bit_length() - 1]",
        "autapse_hw.formal.tables",
    ),
]


@pytest.mark.parametrize("name", FAST)
def test_a_proof_holds(name: str) -> None:
    (proof,) = select([name])
    outcome = prove(proof)
    assert outcome.ok, outcome


@pytest.mark.slow
def test_every_proof_holds() -> None:
    failed = {
        o.proof.name: (o.verdict, o.failed) for o in prove_all([p for p in PROOFS if p.name not in FAST]) if not o.ok
    }
    assert not failed


@pytest.mark.parametrize(
    "fault", [pytest.param(f, id=f.proof, marks=[pytest.mark.slow] * (f.proof not in FAST)) for f in FAULTS]
)
def test_a_planted_fault_is_found(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    block = getattr(mutant(fault.source, fault.old, fault.new), fault.block)
    monkeypatch.setattr(importlib.import_module(fault.holder), fault.block, block)
    (proof,) = select([fault.proof])
    outcome = prove(proof)
    assert outcome.verdict in ("refuted", "unknown"), outcome
    assert outcome.failed


@pytest.mark.slow
def test_an_accumulator_a_bit_too_short_is_found() -> None:
    q = small(3, 1, 1, bits=5)
    f = q.formats
    short = replace(q, formats=replace(f, acc=replace(f.acc, bits=f.acc_bits - 1), z=replace(f.z, bits=f.acc_bits - 1)))
    assert short.formats.acc_bits == f.acc_bits - 1
    assert prove(accumulation_proof("short", short)).verdict == "refuted"


def test_names_and_patterns_choose_proofs() -> None:
    assert [p.name for p in select(["output-*"])] == ["output-buffer-3x1", "output-buffer-4x2"]
    assert select([]) == list(PROOFS)
    assert len({p.name for p in PROOFS}) == len(PROOFS)
    with pytest.raises(ValueError, match=r"no proof is called 'nonsense'; there are stream-register, "):
        select(["nonsense"])


def test_the_command_prints_what_is_proved() -> None:
    result = CliRunner().invoke(app, ["prove", "stream-register", "--json"])
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["proofs"]
    assert (row["name"], row["verdict"], row["reach"]) == ("stream-register", "proved", "unbounded")


def test_every_bounded_proof_says_why() -> None:
    assert all(proof.reach == "unbounded" or len(proof.bound) > 20 for proof in PROOFS)
