"""The live page's server: who is let in, what a page is told, what it may ask, and the board's thread behind it."""

import socket
import time

import numpy as np
import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from typer.testing import CliRunner

from autapse.cli import app as program
from autapse.errors import AutapseError
from autapse.gallery import path
from autapse.link import Device, EmulatedDevice, EmulatedTransport, ModelNetwork
from autapse.live import Board, Player, listen, new_token, page_url, serve
from autapse.live.app import create_app
from autapse.live.axes import Axes
from autapse.live.inputs import PULSE_STEPS, Hand, Trial, tasks_for
from autapse.live.pace import UPDATES_HZ, Pace
from autapse.loading import load
from autapse.quantize import quantize
from autapse.tasks import find

TOKEN = "0123456789abcdef"
HOST = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def q():
    return quantize(load(path("flipflop_3bit")), weight_bits=8, state_bits=8, input_range=1.5)


def device_of(q):
    network = ModelNetwork(q)
    emulated = EmulatedDevice(network.identity(lanes=8, clock_hz=12_000_000), network)
    return emulated, Device(EmulatedTransport(emulated), sequence=0)


@pytest.fixture
def board(q):
    with device_of(q)[1] as device:
        yield Board(device, q)


@pytest.fixture
def client(board):
    with TestClient(create_app(Player(board, seed=1), TOKEN), base_url=HOST) as client:
        yield client


def refused(client, place, headers=None):
    """The status with which a WebSocket is refused there."""
    with (
        pytest.raises(WebSocketDenialResponse) as answer,
        client.websocket_connect(f"ws://127.0.0.1:8000{place}board", headers=headers or {}),
    ):
        pass
    return answer.value.status_code


def watch(client, headers=None):
    return client.websocket_connect(f"ws://127.0.0.1:8000/{TOKEN}/board", headers=headers or {})


def until(page, kind, check=lambda message: True):
    """The next message of a kind for which `check` holds, within some hundreds of messages."""
    for _ in range(400):
        message = page.receive_json()
        if message["is"] == kind and check(message):
            return message
    raise AssertionError(f"no such message: {kind}")


def trial_inputs(number):
    """Inputs of a trial of a player with seed 1, (time, inputs)."""
    rng = np.random.default_rng(1)
    return [find("flipflop").trials(1, rng).x[0] for _ in range(number + 1)][-1]


def test_the_page_and_its_headers(client):
    page = client.get(f"/{TOKEN}/")
    assert page.status_code == 200
    assert "<title>Autapse live</title>" in page.text
    for name, kind in (("live.js", "javascript"), ("draw.js", "javascript"), ("live.css", "css")):
        found = client.get(f"/{TOKEN}/{name}")
        assert found.status_code == 200
        assert kind in found.headers["content-type"]
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "place", ["/", "/live.js", "/0123456789abcdee/", f"/{TOKEN}x/live.js", f"//{TOKEN[:-1]}/", "/%ff/"]
)
def test_without_the_token_there_is_nothing(client, place):
    assert client.get(place).status_code == 404
    assert refused(client, place) == 404


@pytest.mark.parametrize("host", ["example.org", "example.org:8000", "127.0.0.1.example.org", "0.0.0.0", ""])
def test_another_host_is_refused(client, host):
    assert client.get(f"/{TOKEN}/", headers={"host": host}).status_code == 400
    assert refused(client, f"/{TOKEN}/", {"host": host}) == 400


def test_another_sites_page_is_refused(client):
    assert refused(client, f"/{TOKEN}/", {"origin": "http://example.org"}) == 404
    with watch(client, {"origin": HOST, "host": HOST.removeprefix("http://")}) as page:
        assert page.receive_json()["is"] == "board"


def test_a_page_is_told_where_things_are(client, q):
    with watch(client) as page:
        board, mode, axes, figures = (page.receive_json() for _ in range(4))
    assert (board["units"], board["inputs"], board["outputs"]) == (50, 3, 3)
    assert board["hash"] == q.model_hash().hex()
    assert [task["name"] for task in board["tasks"]] == ["flipflop"]
    assert (mode["task"], mode["running"], mode["rate"]) == ("flipflop", True, 40)
    assert axes["source"] == "the float network on 16 trials of flipflop"
    assert figures["link"]["rejected"] == 0


def test_outputs_and_states_are_the_integer_models(client, q):
    """Whole trials at full speed: each from h0, and what is shown is what the model computes of the inputs shown."""
    with watch(client) as page:
        page.send_json({"do": "rate", "steps": 40})
        until(page, "moved", lambda m: m["begins"])
        page.send_json({"do": "reset"})
        first = until(page, "moved", lambda m: m["begins"])
        rows = [first, *(until(page, "moved") for _ in range(20))]
    x = trial_inputs(1)[: len(rows)]
    assert np.allclose([row["x"][0] for row in rows], x, atol=1e-5)
    expected = q.run(x[None])
    assert np.allclose([row["z"][0] for row in rows], expected.z[0], atol=1e-5)
    assert np.allclose([row["h"] for row in rows], expected.h[0], atol=1e-5)


def test_every_trial_begins_at_h0(client, q):
    with watch(client) as page:
        page.send_json({"do": "rate", "steps": 200})  # five steps an update, which are all shown
        until(page, "mode", lambda m: m["rate"] == 200)
        until(page, "moved", lambda m: not m["begins"])
        for number in (1, 2):
            first = until(page, "moved", lambda m: m["begins"])
            assert len(first["x"]) == 5
            assert np.allclose(first["x"], trial_inputs(number)[:5], atol=1e-5)
            assert np.allclose(first["h"], q.run(trial_inputs(number)[None, :5]).h[0, -1], atol=1e-5)


def test_inputs_by_hand(client):
    with watch(client) as page:
        page.send_json({"do": "choose", "task": None})
        assert until(page, "mode")["task"] == "flipflop"
        assert until(page, "mode", lambda m: m["task"] is None)["values"] == [0, 0, 0]
        page.send_json({"do": "put", "input": 1, "value": 0.5})
        assert until(page, "moved", lambda m: m["x"][0][1] == 0.5)["y"] is None
        page.send_json({"do": "pulse", "input": 0, "sign": -1})
        until(page, "moved", lambda m: m["x"][0] == [-1.0, 0.5, 0.0])
        page.send_json({"do": "clear"})
        until(page, "moved", lambda m: m["x"][0] == [0.0, 0.0, 0.0])


def test_pause_step_and_reset(client):
    with watch(client) as page:
        page.send_json({"do": "pause"})
        paused = until(page, "mode", lambda m: not m["running"])
        page.send_json({"do": "step"})
        assert until(page, "moved")["steps"] == paused["steps"] + 1
        page.send_json({"do": "reset"})
        page.send_json({"do": "step"})
        assert until(page, "moved")["begins"]
        page.send_json({"do": "resume"})
        until(page, "moved", lambda m: m["steps"] > paused["steps"] + 5)


def test_figures_count_and_compare(client):
    with watch(client) as page:
        page.send_json({"do": "rate", "steps": None})
        figures = until(page, "figures", lambda f: f["trials"] >= 2)
    assert figures["compared"] > 2 * 200 * 3
    assert figures["mismatches"] == 0
    assert figures["score"]["correct"] > 0.9
    assert figures["link"]["steps"] >= 400


@pytest.mark.parametrize(
    "order",
    [
        "nonsense",
        "[]",
        '{"do": "stop"}',
        '{"do": "__init__"}',
        '{"do": "put", "input": 3, "value": 0}',
        '{"do": "put", "input": 0, "value": NaN}',
        '{"do": "put", "input": 0, "value": "1"}',
        '{"do": "pulse", "input": -1, "sign": 1}',
        '{"do": "pulse", "input": 0, "sign": 2}',
        '{"do": "choose", "task": "xor"}',
        '{"do": "rate", "steps": 41}',
        '{"do": "rate", "steps": []}',
    ],
)
def test_what_is_no_order_is_refused_in_words(client, order):
    with watch(client) as page:
        page.send_text(order)
        assert until(page, "note")["text"].startswith(("no such order: ", "an order is JSON"))
        until(page, "moved")


def test_the_board_rests_while_nobody_watches(client, board):
    with watch(client) as page:
        until(page, "moved")
    time.sleep(0.2)
    before = board.compared
    time.sleep(0.2)
    assert board.compared == before > 0


def test_a_planted_difference_is_counted(board):
    board.reset()
    board.advance(np.zeros((3, 3)))
    assert (board.compared, board.mismatches) == (3 * 3 + 50, 0)
    board.device.set_state(np.full(50, 7))
    board.advance(np.zeros((1, 3)))
    assert board.mismatches > 0


def test_a_reset_board_goes_on_from_h0(q):
    emulated, device = device_of(q)
    with (
        device,
        TestClient(create_app(Player(Board(device, q), seed=1), TOKEN), base_url=HOST) as client,
        watch(client) as page,
    ):
        until(page, "moved")
        emulated.reset()
        assert "reset" in until(page, "note")["text"]
        first = until(page, "moved")
        assert first["begins"]
        assert np.allclose(first["x"], trial_inputs(1)[:1], atol=1e-5)
        assert until(page, "figures")["mismatches"] == 0


def test_a_board_without_its_network(q):
    """Nothing to compare with, and axes from the states that were seen."""
    with (
        device_of(q)[1] as device,
        TestClient(create_app(Player(Board(device)), TOKEN), base_url=HOST) as client,
        watch(client) as page,
    ):
        assert page.receive_json()["trained_on"] is None
        assert until(page, "mode")["task"] is None
        page.send_json({"do": "choose", "task": "flipflop"})
        axes = until(page, "axes")
        assert axes["source"] == "the first 25 states"
        assert np.shape(axes["axes"]) == (2, 50)
        assert until(page, "figures")["compared"] is None


def test_a_lost_board_ends_the_server_with_its_reason(q):
    _, device = device_of(q)
    with device, listen() as bound:
        player = Player(Board(device, q))
        device.close()
        player.board.device._session._reconnect = 0.0
        player.board.device._transport.reopen = lambda: device._transport.write(b"")
        with pytest.raises(AutapseError, match="the emulated port is closed"):
            serve(player, bound, TOKEN)


def test_another_network_is_refused(q):
    other = quantize(load(path("flipflop_3bit")), weight_bits=6, input_range=1.5)
    with device_of(q)[1] as device, pytest.raises(AutapseError, match=f"the board runs network {q.model_hash().hex()}"):
        Board(device, other)


def test_a_busy_port_is_one_line():
    with listen() as bound:
        port = bound.getsockname()[1]
        assert page_url(bound, "T") == f"http://127.0.0.1:{port}/T/"
        with pytest.raises(AutapseError, match=f"127.0.0.1:{port} cannot be listened on: Address already in use"):
            listen(port)


def test_refusals_of_the_command(tmp_path):
    for arguments, words in (
        ([], "name a build folder or network, a board's --port, or both"),
        ([str(tmp_path)], "no report.json in it, so not a build"),
        (["--port", "/dev/no-such-port"], "/dev/no-such-port: cannot be opened at 1000000 baud"),
    ):
        done = CliRunner().invoke(program, ["live", *arguments])
        assert done.exit_code == 1
        assert words in str(done.exception)


def test_tokens_are_long_and_new():
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) == 32


def test_the_socket_is_on_the_loopback_address():
    with listen() as bound:
        assert bound.getsockname()[0] == "127.0.0.1"
        assert bound.family == socket.AF_INET


def test_pulses_lie_on_top_and_end():
    hand = Hand(2, 1.25)
    hand.put(0, 0.5)
    hand.put(1, -9.0)
    hand.pulse(0, 1.0)
    x = np.concatenate([hand.take(2), hand.take(PULSE_STEPS)])
    assert x[:, 0].tolist() == [1.25] * PULSE_STEPS + [0.5, 0.5]
    assert (x[:, 1] == -1.25).all()


def test_trials_end_and_are_judged():
    task = find("flipflop")
    trial = Trial(task, np.random.default_rng(3))
    trials = task.trials(1, np.random.default_rng(3))
    while not trial.ended:
        x, y = trial.take(70)
        assert len(x) == len(y) <= 70
        trial.keep(np.nan_to_num(y))
    assert trial.score()["correct"] == 1.0
    assert trials.x.shape[1] % 70


def test_tasks_that_fit():
    assert next(iter(tasks_for(2, 1, "xor"))) == "xor"
    assert {"and", "or", "xor"} <= set(tasks_for(2, 1, None))
    assert tasks_for(7, 7, None) == {}


def test_full_speed_adapts_to_the_board():
    pace = Pace(None)
    for _ in range(20):
        pace.took(pace.steps, pace.steps / 10_000)  # a board of 10,000 steps a second
    assert pace.steps == 10_000 / UPDATES_HZ
    steps = pace.steps
    pace.took(3, 1.0)  # the end of a trial
    assert pace.steps == steps
    assert (Pace(5).steps, Pace(5).period) == (1, 0.2)
    assert (Pace(200).steps, Pace(200).period) == (5, 1 / UPDATES_HZ)


def test_axes_are_the_principal_ones():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    states = rng.normal(size=(500, 2)) * [3, 1] @ basis[:2] + 1e-3 * rng.normal(size=(500, 6)) + 5
    axes = Axes.of(states, "test")
    assert np.abs(np.abs(axes.axes @ basis[:2].T) - np.eye(2)).max() < 0.1
    assert axes.share.sum() == pytest.approx(1, abs=1e-4)
    assert np.allclose(axes.points, (states - states.mean(axis=0)) @ axes.axes.T)
    turned = Axes.of(states, "test", Axes("", axes.mean, -axes.axes, axes.share, axes.points))
    assert np.allclose(turned.axes, -axes.axes)
    flat = Axes.of(np.ones((10, 3)), "test")
    assert not flat.axes.any()
