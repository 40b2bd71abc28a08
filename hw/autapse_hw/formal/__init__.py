"""Formal properties of the gateware's blocks, for a solver; `autapse_sim.prove` runs them.

They stand in benches around the blocks, which are the ones that are synthesised, unchanged: a proof costs a design
nothing.
"""

from autapse_hw.formal import (
    accumulation,
    buffering,
    framing,
    judging,
    lanes,
    reading,
    sending,
    sequencing,
    streams,
    tables,
    timetable,
    uart,
)
from autapse_hw.formal.bench import BLOCK, Bench
from autapse_hw.formal.proof import Proof

__all__ = ["BLOCK", "PROOFS", "Bench", "Proof"]

#: Every proof.
PROOFS: tuple[Proof, ...] = (
    *streams.PROOFS,
    *uart.PROOFS,
    *buffering.PROOFS,
    *framing.PROOFS,
    *judging.PROOFS,
    *reading.PROOFS,
    *sending.PROOFS,
    *timetable.PROOFS,
    *sequencing.PROOFS,
    *lanes.PROOFS,
    *accumulation.PROOFS,
    *tables.PROOFS,
)
