"""What is proved of a block, and how far."""

from collections.abc import Callable
from dataclasses import dataclass

from autapse_hw.formal.bench import Bench


@dataclass(frozen=True)
class Proof:
    """A claim about a block, and the properties that say it to a solver.

    Attributes
    ----------
    name
        How a user names it.
    block
        The component that it is about.
    claim
        What is proved, in words.
    properties
        Puts the block, its surroundings and the properties into a bench.
    depth
        Cycles: unbounded proofs hold in all cycles, and need so many for the induction; others hold in the first
        `depth` cycles.
    bound
        Why the proof is bounded; empty if it is not.
    parameters
        Of the block, in words.
    any_start
        The block begins in any state whatever instead of its initial one.
    window
        With `any_start`: what holds at the end of `depth` cycles from any state holds always, and no induction is
        needed. For pipelines.
    """

    name: str
    block: str
    claim: str
    properties: Callable[[Bench], None]
    depth: int
    bound: str = ""
    parameters: str = ""
    any_start: bool = False
    window: bool = False

    @property
    def reach(self) -> str:
        """How far it holds."""
        return f"{self.depth} cycles" if self.bound else "unbounded"

    def bench(self) -> Bench:
        """The properties, put together."""
        bench = Bench()
        self.properties(bench)
        return bench
