"""The check of a device against the integer model: what it counts, and what it names when a device is wrong."""

import numpy as np
import pytest
from designs import full_range

from autapse.errors import AutapseError
from autapse.link import Device, Difference, EmulatedDevice, EmulatedTransport, ModelNetwork, check_device
from autapse.quantize import quantize


def make_network(seed=0, units=5):
    return quantize(full_range(units, outputs=2, seed=seed), weight_bits=8, state_bits=8)


class Faulty(ModelNetwork):
    """Flips a bit of a unit's state after its `at`-th step since the reset.

    A `hasty` one only if the state was not read since the step before: a fault of full speed.
    """

    def __init__(self, q, at, unit, bit, hasty=False):
        super().__init__(q)
        self.at, self.unit, self.bit, self.hasty = at, unit, bit, hasty
        self.done = self.unread = 0

    def reset(self):
        super().reset()
        self.done = self.unread = 0

    def run(self, x):
        rows = []
        for row in x:
            rows.append(super().run(row[None])[0])
            self.unread += 1
            if self.done == self.at and (self.unread > 1 or not self.hasty):
                self.state[self.unit] ^= 1 << self.bit
            self.done += 1
        return np.array(rows)


class Host(Device):
    """Tells the network when its state is read."""

    network: ModelNetwork

    def read_state(self):
        self.network.unread = 0
        return super().read_state()


def check(network, q, trace=False, **options):
    device = EmulatedDevice(network.identity(trace=trace), network)
    with Host(EmulatedTransport(device), timeout=0.5) as host:
        host.network = network
        return check_device(host, q, **options)


def test_counts():
    """Two sequences, each twice: all outputs; the states before and after each step, and at the end of the second."""
    q = make_network()
    found = check(ModelNetwork(q), q, steps=130)
    assert (found.steps, found.outputs, found.mismatches, found.first) == (260, 520, 0, None)
    assert found.states == (130 + 2 + 2) * q.units
    assert found.sums == 0


def test_names_step_unit_and_bit():
    q = make_network()
    found = check(Faulty(q, at=17, unit=3, bit=4), q, steps=40)
    assert found.mismatches > 0
    first = found.first
    assert (first.sequence, first.step, first.kind, first.index, first.bit) == (0, 17, "state", 3, 4)
    assert abs(first.got - first.expected) == 1 << 4
    assert str(first).startswith("sequence 0, step 17, unit 3: ")
    assert str(first).endswith("; bit 4 is the lowest that differs")


@pytest.mark.parametrize("at", [1, 6, 13, 29])
def test_a_fault_of_full_speed_is_searched_for(at):
    q = make_network()
    found = check(Faulty(q, at=at, unit=1, bit=0, hasty=True), q, steps=30)
    assert 0 < found.mismatches <= 2 * (30 - at) + q.units
    assert (found.first.step, found.first.kind, found.first.index, found.first.bit) == (at, "state", 1, 0)


def test_wrong_output_of_right_states():
    q = make_network()

    class Louder(ModelNetwork):
        def run(self, x):
            return super().run(x) ^ np.array([0, 2])

    found = check(Louder(q), q, steps=5)
    assert found.mismatches == 2 * 5
    assert (found.first.step, found.first.kind, found.first.index, found.first.bit) == (0, "output", 1, 1)
    assert "output 1" in str(found.first)


def test_counts_with_a_trace():
    """After each step, and at the end of what runs at full speed."""
    q = make_network()
    found = check(ModelNetwork(q), q, trace=True, steps=130)
    assert (found.steps, found.outputs, found.mismatches, found.first) == (260, 520, 0, None)
    assert found.states == (130 + 2 + 2) * q.units
    assert found.sums == (130 + 2) * q.units


class Wrong(ModelNetwork):
    """Gives wrong origins of right states: after its step 9, unit 2."""

    def __init__(self, q, flip, saturation=False):
        super().__init__(q)
        self.flip, self.saturation, self.done = flip, saturation, 0

    def reset(self):
        super().reset()
        self.done = 0

    def run(self, x):
        self.done += len(x)
        return super().run(x)

    def origins(self):
        sums, saturated = super().origins()
        if self.done == 10:
            sums[2] ^= self.flip
            saturated[2] ^= self.saturation
        return sums, saturated


@pytest.mark.parametrize(
    ("flip", "saturation", "kind", "bit"), [(8, True, "pre-activation", 3), (0, True, "saturation", 0)]
)
def test_names_the_origin_of_a_state(flip, saturation, kind, bit):
    q = make_network()
    found = check(Wrong(q, flip, saturation), q, trace=True, steps=20)
    first = found.first
    assert (first.sequence, first.step, first.kind, first.index, first.bit) == (0, 9, kind, 2, bit)
    assert str(first).startswith(f"sequence 0, step 9, {kind} of unit 2: ")
    assert check(Wrong(q, flip, saturation), q, steps=20).mismatches == 0


def test_a_wrong_state_is_found_before_the_sums_that_it_changes():
    q = make_network()
    first = check(Faulty(q, at=17, unit=3, bit=4), q, trace=True, steps=40).first
    assert (first.step, first.kind, first.index, first.bit) == (17, "state", 3, 4)


def test_a_trace_that_stands_still_is_found():
    """A device whose records are those of the step before."""
    q = make_network()

    class Late(EmulatedDevice):
        def _step(self, payload):
            records = self._trace
            answer = super()._step(payload)
            self._trace = records
            return answer

    network = ModelNetwork(q)
    with Device(EmulatedTransport(Late(network.identity(trace=True), network)), timeout=0.5) as device:
        first = check_device(device, q, steps=5).first
    assert (first.step, first.kind) == (0, "pre-activation")


def test_a_device_without_a_trace_says_so():
    network = ModelNetwork(make_network())
    with (
        Device(EmulatedTransport(EmulatedDevice(network.identity(), network)), timeout=0.5) as device,
        pytest.raises(AutapseError, match="this device has no trace: 'autapse build --trace' makes one"),
    ):
        device.read_trace()


def test_what_is_refused():
    q, other = make_network(), make_network(1)
    with pytest.raises(AutapseError, match=rf"holds network {other.model_hash().hex()}, not {q.model_hash().hex()}"):
        check(ModelNetwork(other), q)
    with pytest.raises(ValueError, match="steps must be at least 1, not 0"):
        check(ModelNetwork(q), q, steps=0)


def test_lowest_bit():
    assert [Difference(0, 0, "state", 0, a, b).bit for a, b in ((1, 0), (-1, 0), (4, 12), (-128, 127))] == [0, 0, 3, 0]
