"""What a property is written with: a block, its free inputs, what is supposed of them, and what must hold.

A bench is elaborated for a solver only. The block in it is the one that is synthesised, unchanged: a property sees its
registers by their names.
"""

from collections.abc import Iterator
from typing import Any

from amaranth.hdl import (
    Assert,
    Assume,
    ClockDomain,
    Const,
    Elaboratable,
    Fragment,
    Module,
    Mux,
    ShapeLike,
    Signal,
    Value,
    ValueLike,
)

#: The submodule under which a bench has its block.
BLOCK = "dut"


class Opened:
    """A block whose registers can be read by name: ``opened["full"]``, or ``opened["store.page_0"]`` of a part of it.

    Parameters
    ----------
    block
        The component. It is elaborated here.
    m
        The module around it.
    """

    def __init__(self, block: Elaboratable, m: Module) -> None:
        self.fragment: Any = Fragment.get(block, None)  # type: ignore[no-untyped-call]  # hardly in the stubs
        self._m = m
        self._signals = {name: signals for name, signals in _named(self.fragment, "")}

    def __getitem__(self, name: str) -> Signal:
        """The one signal of that name. KeyError with the names there are, if it is missing or not the only one."""
        signals = self._signals.get(name, [])
        if len(signals) != 1:
            known = ", ".join(sorted(self._signals))
            raise KeyError(f"{len(signals)} signals of the block are called {name!r}; it has {known}")
        return signals[0]

    def __iter__(self) -> Iterator[str]:
        """All names."""
        return iter(self._signals)

    def word(self, memory: str, address: Value) -> Signal:
        """What a memory of the block holds at an address: a read port of the bench's own, for nothing in the block."""
        instance: Any = self.fragment
        for name in memory.split("."):
            (instance,) = (part for part, part_name, _ in instance.subfragments if part_name == name)
        if not hasattr(instance, "read_port"):  # the component around it
            (instance,) = (part for part, *_ in instance.subfragments)
        data = instance._data
        word, at = Signal(data.shape, name="word"), Signal(range(data.depth), name="address")
        self._m.d.comb += at.eq(address)
        instance.read_port(domain="comb", addr=at, data=word, en=Const(1, 1), transparent_for=())
        return word


def _named(fragment: Any, prefix: str) -> Iterator[tuple[str, list[Signal]]]:
    """Each name of a driven signal, and the signals that have it; a register comes before what is wired to it."""
    found: dict[str, dict[str, dict[int, Signal]]] = {}
    for domain, statements in fragment.statements.items():
        for statement in statements:
            for signal in statement._lhs_signals():
                found.setdefault(prefix + signal.name, {}).setdefault(domain, {})[id(signal)] = signal
    for name, signals in found.items():
        yield name, list(signals.get("sync", signals.get("comb", {})).values())
    for part, name, _ in fragment.subfragments:
        if type(part) is Fragment and name is not None:
            yield from _named(part, f"{prefix}{name}.")


class Bench(Elaboratable):
    """A block with its surroundings.

    Attributes
    ----------
    m : Module
        For the model that the block is compared with.
    first : Signal
        High in the first cycle.
    inputs : list of Signal
        The clock, and what is free: the solver chooses it anew in each cycle.
    """

    def __init__(self) -> None:
        self.m = Module()
        self.m.domains.sync = clock = ClockDomain(reset_less=True)  # all begins with the initial values
        self.first = Signal(init=1)
        self.m.d.sync += self.first.eq(0)
        self.inputs: list[Signal] = [clock.clk]  # type: ignore[attr-defined]

    def open(self, block: Elaboratable, name: str = BLOCK) -> Opened:
        """Put the block into the bench."""
        opened = Opened(block, self.m)
        self.m.submodules[name] = opened.fragment
        return opened

    def free(self, name: str, shape: ShapeLike = 1) -> Signal:
        """A signal that may have any value in each cycle."""
        signal = Signal(shape, name=name)
        self.inputs.append(signal)
        return signal

    def drive(self, port: Value, name: str) -> Value:
        """Let an input of the block be free."""
        self.m.d.comb += port.eq(value := self.free(name, port.shape()))
        return value

    def constant(self, name: str, shape: ShapeLike) -> Value:
        """Any value, the same in all cycles."""
        chosen, kept = self.free(name, shape), Signal(shape, name=f"{name}_kept")
        value = Signal(shape, name=f"{name}_constant")
        self.m.d.comb += value.eq(Mux(self.first, chosen, kept))
        self.m.d.sync += kept.eq(value)
        return value

    def past(self, value: Value) -> Signal:
        """What it was in the cycle before; not to be used in the first one."""
        before = Signal(value.shape(), name="past")
        self.m.d.sync += before.eq(value)
        return before

    def suppose(self, condition: ValueLike) -> None:
        """The surroundings keep to this in every cycle."""
        self.m.d.comb += Assume(condition, src_loc_at=1)  # type: ignore[call-arg]

    def check(self, condition: ValueLike) -> None:
        """The block must keep to this in every cycle."""
        self.m.d.comb += Assert(condition, src_loc_at=1)  # type: ignore[call-arg]

    def elaborate(self, platform: object) -> Module:
        return self.m


def implies(condition: Value, conclusion: ValueLike) -> Value:
    """False only if the condition holds and the conclusion does not."""
    return ~condition.bool() | Value.cast(conclusion).bool()
