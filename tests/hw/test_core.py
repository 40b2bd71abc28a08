"""The core against the integer model in Amaranth's simulator: many small cores, every value, exactly."""

from dataclasses import replace

import numpy as np
import pytest
from harness import BOUNDED, random_codes, random_network, run_core

from autapse.quantize import quantize
from autapse_hw.core import Core
from autapse_hw.lanes import GENERIC
from autapse_hw.schedule import Schedule
from autapse_hw.tiling import Tiling

# units, inputs, outputs, lanes: the smallest, one lane, all lanes, tiles that divide and that do not, more outputs than
# inputs and than lanes, more lanes than columns, and the shapes whose efficiency the project states
SHAPES = [
    (1, 1, 1, 1),
    (1, 1, 1, 2),
    (1, 8, 8, 9),
    (2, 1, 8, 3),
    (3, 1, 8, 4),
    (5, 3, 2, 7),
    (5, 3, 2, 3),
    (12, 1, 8, 20),
    (10, 16, 1, 11),
    (16, 2, 2, 1),
    (33, 5, 3, 6),
]


# units, inputs, outputs, tiling: columns that divide and that do not, one slot, all lanes at once, fewer and as many
# drains as columns, readouts that share a group with units, drains without a unit or a readout, several sequences
TILINGS = [
    (5, 3, 2, "7x2"),
    (5, 3, 2, "3x2"),
    (5, 3, 2, "4x2/2"),
    (5, 3, 2, "7x8"),
    (5, 3, 2, "7x8/8"),
    (1, 1, 1, "2x2/2"),
    (2, 1, 1, "3x3/3"),
    (7, 2, 5, "4x4/2"),
    (9, 2, 1, "10x3/3"),
    (9, 1, 3, "6x6/3"),
    (9, 4, 3, "4x4/4"),
    (13, 5, 1, "6x3"),
    (50, 2, 1, "51x3/3"),
    (5, 3, 2, "7*2"),
    (5, 3, 2, "7x4/2*3"),
    (2, 3, 7, "3x2*2"),
    (9, 2, 1, "10x3/3*5"),
    (4, 1, 1, "5x5/5*9"),
    (12, 1, 8, "20*2"),
]


def exact(q, tiling, steps=10, form=GENERIC, **options):
    """Run core and model on the same codes; everything must be equal. Step k is one of sequence k % sequences."""
    rng = np.random.default_rng(q.units + 100 * Tiling.of(tiling).lanes)
    codes = random_codes(q, steps, rng)
    core = Core(q, tiling, form)
    sequences = core.schedule.tiling.sequences
    h, z = np.empty((steps, q.units), np.int64), np.empty((steps, q.outputs), np.int64)
    last = []
    for k in range(sequences):
        model = q.run_int(codes[None, k::sequences])
        h[k::sequences], z[k::sequences] = model.h[0], model.z[0]
        last.append(model.last[0])
    recorded, state = run_core(core, codes, **options)
    np.testing.assert_array_equal(recorded.h(q.units), h)
    np.testing.assert_array_equal(recorded.z(q.outputs), z)
    np.testing.assert_array_equal(state, np.concatenate(np.roll(last, -(steps % sequences), axis=0)))
    return core, recorded


@pytest.mark.parametrize(("units", "inputs", "outputs", "tiling"), TILINGS)
def test_tilings_and_cycle_formula(units, inputs, outputs, tiling):
    q = quantize(random_network(np.random.default_rng(1), units, inputs, outputs, h0=True))
    core, recorded = exact(q, tiling, steps=12)
    assert set(np.diff(recorded.cycles)) == {core.schedule.cycles_per_step}


@pytest.mark.parametrize(("units", "inputs", "outputs", "tiling"), TILINGS)
@pytest.mark.parametrize("leaky", [False, True])
def test_tilings_with_stalls(units, inputs, outputs, tiling, leaky):
    q = quantize(random_network(np.random.default_rng(2), units, inputs, outputs, leaky=leaky, h0=leaky))
    exact(q, tiling, stall=0.4, seed=3)


@pytest.mark.parametrize("band_lanes", [1, 20])
@pytest.mark.parametrize(("units", "inputs", "outputs", "tiling"), [*TILINGS[1::3], (13, 2, 1, "14x3/3")])
def test_lanes_in_bands(units, inputs, outputs, tiling, band_lanes):
    """Bands of a group of rows and of several, as late as they come, cost no cycle."""
    form = replace(GENERIC, band_lanes=band_lanes, segment_bits=8)
    q = quantize(random_network(np.random.default_rng(14), units, inputs, outputs, h0=True))
    core, recorded = exact(q, tiling, steps=12, form=form)
    assert set(np.diff(recorded.cycles)) == {Schedule.of(q, tiling, replace(form, band_lanes=1000)).cycles_per_step}
    assert core.schedule.cycles_per_step == recorded.cycles[-1] - recorded.cycles[-2]


@pytest.mark.parametrize(("units", "inputs", "outputs", "tiling"), [*TILINGS[::2], (7, 1, 2, "1")])
def test_the_current_form(units, inputs, outputs, tiling):
    rng = np.random.default_rng(15)
    q = quantize(random_network(rng, units, inputs, outputs, leaky=units != 9, h0=True, form="current"))
    core, recorded = exact(q, tiling, steps=12)
    assert set(np.diff(recorded.cycles)) == {core.schedule.cycles_per_step}
    exact(q, tiling, stall=0.4, seed=3)


@pytest.mark.parametrize("bits", [(4, 4, 4), (5, 9, 7), (16, 16, 16)])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "hardtanh", "identity"])
def test_activations_and_word_lengths_of_the_current_form(activation, bits):
    net = random_network(np.random.default_rng(16), 7, 2, 2, activation, leaky=True, h0=True, form="current")
    weight, state, inputs = bits
    reach = None if activation in BOUNDED else 2.5
    q = quantize(net, weight_bits=weight, state_bits=state, input_bits=inputs, state_range=reach)
    core, recorded = exact(q, "4x2")
    assert set(np.diff(recorded.cycles)) == {core.schedule.cycles_per_step}


# layers, inputs, outputs, tiling: columns of two layers in a slot, readouts in a tile with units, layers of one unit, a
# layer in one tile and in several, drains that begin a layer in the middle, sequences, three layers
STACKS = [
    ((4, 5), 2, 1, "3"),
    ((1, 1), 1, 1, "1"),
    ((1, 1), 1, 1, "3"),
    ((3, 4), 3, 2, "4x2"),
    ((3, 4), 3, 2, "4x2/2"),
    ((5, 6), 2, 2, "6x3/3"),
    ((7, 3), 2, 1, "4x2/2*2"),
    ((2, 3, 4), 1, 3, "4x4/2"),
    ((6, 1, 5), 2, 3, "4x4/4*2"),
    ((12, 9), 1, 8, "20*3"),
]


@pytest.mark.parametrize(("layers", "inputs", "outputs", "tiling"), STACKS)
@pytest.mark.parametrize(("leaky", "form"), [(False, "rate"), (True, "rate"), (True, "current")])
def test_stacks(layers, inputs, outputs, tiling, leaky, form):
    """Each layer sees the new states of those before it, in the cycles of the formula; and with pauses."""
    rng = np.random.default_rng(18)
    net = random_network(rng, sum(layers), inputs, outputs, leaky=leaky, h0=True, form=form)
    q = quantize(replace(net, layers=layers))
    core, recorded = exact(q, tiling, steps=12)
    assert set(np.diff(recorded.cycles)) == {core.schedule.cycles_per_step}
    exact(q, tiling, stall=0.4, seed=3)


def test_given_states_of_a_stack_and_a_clear():
    q = quantize(replace(random_network(np.random.default_rng(19), 8, 2, 1, h0=True), layers=(5, 3)))
    given = np.random.default_rng(20).integers(-99, 99, size=8)
    codes = random_codes(q, 5, np.random.default_rng(21))
    for cleared in (30, 61, 90):
        recorded, _ = run_core(Core(q, "4x2"), codes, given=given.tolist(), cleared=cleared)
        np.testing.assert_array_equal(recorded.h(8), replace(q, h0=given).run_int(codes[None]).h[0])


def test_a_stack_refuses_drains_that_do_not_divide():
    q = quantize(replace(random_network(np.random.default_rng(19), 9, 2, 1), layers=(5, 4)))
    with pytest.raises(ValueError, match="drains must divide the 10 rows of lanes; 4 do not"):
        Schedule.of(q, "10x4/4")


def test_a_state_of_the_current_form_saturates():
    net = random_network(np.random.default_rng(17), 6, 2, 1, leaky=True, form="current")
    q = quantize(replace(net, W_in=6 * net.W_in), state_range=1.5)
    _, recorded = exact(q, 4, steps=40)
    assert np.abs(recorded.h(6)).max() == q.formats.state.max_code


@pytest.mark.parametrize(("units", "inputs", "outputs", "tiling"), TILINGS)
def test_tilings_with_outputs_hardly_taken(units, inputs, outputs, tiling):
    exact(quantize(random_network(np.random.default_rng(3), units, inputs, outputs)), tiling, deaf=0.97, seed=5)


@pytest.mark.parametrize("tiling", ["4", "7x4/2*3", "3x2*2"])
@pytest.mark.parametrize(("leaky", "form"), [(False, "rate"), (True, "rate"), (True, "current")])
def test_given_states(tiling, leaky, form):
    """A state from outside, for each sequence, instead of h0."""
    q = quantize(random_network(np.random.default_rng(11), 5, 3, 2, leaky=leaky, h0=True, form=form))
    rng = np.random.default_rng(12)
    sequences, top = Tiling.of(tiling).sequences, q.formats.state.max_code
    given = rng.integers(-top, top, size=(sequences, 5), endpoint=True)
    codes = random_codes(q, 4 * sequences, rng)
    recorded, _ = run_core(Core(q, tiling), codes, given=given.ravel().tolist(), cleared=30)
    for k in range(sequences):
        model = replace(q, h0=given[k]).run_int(codes[None, k::sequences])
        np.testing.assert_array_equal(recorded.h(5)[k::sequences], model.h[0])
        np.testing.assert_array_equal(recorded.z(2)[k::sequences], model.z[0])


@pytest.mark.parametrize(("units", "inputs", "outputs", "lanes"), SHAPES)
def test_shapes_and_cycle_formula(units, inputs, outputs, lanes):
    q = quantize(random_network(np.random.default_rng(1), units, inputs, outputs))
    core, recorded = exact(q, lanes)
    assert set(np.diff(recorded.cycles)) == {core.schedule.cycles_per_step}


@pytest.mark.parametrize(("units", "inputs", "outputs", "lanes"), SHAPES)
def test_random_stalls(units, inputs, outputs, lanes):
    exact(quantize(random_network(np.random.default_rng(2), units, inputs, outputs, h0=True)), lanes, stall=0.4, seed=3)


@pytest.mark.parametrize(("units", "inputs", "outputs", "lanes"), SHAPES[1:7])
def test_outputs_that_are_hardly_taken(units, inputs, outputs, lanes):
    """The core waits for room in its output buffer, and loses nothing."""
    exact(quantize(random_network(np.random.default_rng(3), units, inputs, outputs)), lanes, deaf=0.97, seed=5)


def test_a_leaky_state_saturates():
    """Integrators driven to both ends and beyond."""
    net = random_network(np.random.default_rng(10), 6, 2, 1, "identity")
    net = replace(net, W=np.zeros((6, 6)), d=np.ones(6), g=np.linspace(0.5, 1.5, 6))
    q = quantize(net, state_range=2.0)
    _, recorded = exact(q, 4, steps=40)
    assert np.abs(recorded.h(6)).max() == q.formats.state.max_code


@pytest.mark.parametrize("bits", [(4, 4, 4), (8, 8, 8), (5, 9, 7), (12, 11, 8), (16, 16, 16), (18, 18, 18)])
@pytest.mark.parametrize("leaky", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "hardtanh", "identity"])
def test_activations_and_word_lengths(activation, leaky, bits):
    net = random_network(np.random.default_rng(4), 7, 2, 2, activation, leaky=leaky, h0=True)
    weight, state, inputs = bits
    reach = None if activation in BOUNDED else 2.5  # so small that the state saturates
    q = quantize(net, weight_bits=weight, state_bits=state, input_bits=inputs, state_range=reach)
    core, recorded = exact(q, 4)
    assert set(np.diff(recorded.cycles)) == {core.schedule.cycles_per_step}


@pytest.mark.parametrize("guard", [0, 1, 6])
def test_guard_bits(guard):
    net = random_network(np.random.default_rng(5), 6, 1, 1, leaky=True, h0=True)
    exact(quantize(net, guard_bits=guard), 3, stall=0.2)


def test_ties_of_the_leaky_update():
    """Halves of odd sums of both signs, which no decay and gain at random ever give."""
    net = random_network(np.random.default_rng(15), 6, 2, 1, leaky=True)
    net = replace(net, d=np.array([0.5, -0.5, 0.5, 0.25, 0.0, 0.5]), g=np.array([0.5, 0.5, -0.5, 0.25, 0.5, 1.0]))
    q = quantize(net, guard_bits=0)
    _, recorded = exact(q, 4, steps=30)
    h = recorded.h(6)
    ties = q.d * h[:-1] % (1 << q.formats.leak.frac) == 1 << q.formats.leak.frac - 1
    assert np.count_nonzero(ties & (h[:-1] < 0)) > 10


def test_most_negative_given_state_saturates():
    q = quantize(random_network(np.random.default_rng(13), 4, 2, 1))
    top = q.formats.state.max_code
    given, codes = np.array([-top - 1, top, -top - 1, 0]), random_codes(q, 3, np.random.default_rng(14))
    recorded, _ = run_core(Core(q, 2), codes, given=given.tolist(), cleared=20)
    np.testing.assert_array_equal(recorded.h(4), replace(q, h0=np.maximum(given, -top)).run_int(codes[None]).h[0])
    _, state = run_core(Core(q, 2), codes[:0], given=given.tolist(), cleared=20)  # as it is, before it has any effect
    assert state == np.maximum(given, -top).tolist()


@pytest.mark.parametrize("kind", ["direct", "linear", "quadratic"])
def test_table_kinds(kind):
    q = quantize(random_network(np.random.default_rng(6), 9, 2, 1), state_bits=9, table=kind)
    assert q.activation.kind == kind
    exact(q, 5, steps=30)


@pytest.mark.parametrize("tiling", ["3", "4x2/2*2"])
@pytest.mark.parametrize("cleared", [1, 7, 23, 40, 61, 90, 133])
def test_clear_in_the_middle(cleared, tiling):
    """Whatever was under way leaves no trace in states, outputs or order."""
    form = "current" if cleared % 3 == 1 else "rate"
    q = quantize(random_network(np.random.default_rng(7), 8, 3, 2, leaky=cleared % 2 == 1, h0=True, form=form))
    exact(q, tiling, steps=6, cleared=cleared, deaf=0.8 if cleared > 30 else 0.0)  # outputs wait when the clear comes


def test_most_negative_input_code_saturates():
    q = quantize(random_network(np.random.default_rng(8), 4, 2, 1), input_bits=6)
    codes = np.array([[-32, 31], [-32, -32]])
    recorded, _ = run_core(Core(q, 2), codes)
    model = q.run_int(np.clip(codes, -31, 31)[None])
    np.testing.assert_array_equal(recorded.h(4), model.h[0])


def test_weights_at_full_scale_do_not_overflow():
    """The worst inputs for the accumulator: every weight and operand at its end, all of one sign."""
    net = random_network(np.random.default_rng(9), 6, 2, 1, "hardtanh")
    net = replace(net, W=np.ones((6, 6)), W_in=np.ones((6, 2)), b=np.full(6, 0.3), W_out=-np.ones((1, 6)))
    q = quantize(net)
    codes = np.full((5, 2), q.formats.x.max_code)
    recorded, _ = run_core(Core(q, 4), codes)
    np.testing.assert_array_equal(recorded.h(6), q.run_int(codes[None]).h[0])
    assert recorded.h(6).max() == q.formats.h.max_code
    np.testing.assert_array_equal(recorded.z(1), q.run_int(codes[None]).z[0])
