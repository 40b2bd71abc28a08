"""`autapse live` as a user meets it: a virtual board, the command, and the page in a browser."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest

from autapse.gallery import path
from autapse.loading import load
from autapse.quantize import quantize

UPDATES_HZ = 25  # of the 30 that are promised on a machine that does nothing else
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """The command at work, and the address that it prints; it must end cleanly on SIGTERM."""
    file = tmp_path_factory.mktemp("live") / "q.npz"
    quantize(load(path("flipflop_3bit")), weight_bits=8, state_bits=8, input_range=1.5).save(file)
    command = [
        sys.executable,
        "-c",
        "from autapse.cli import main; main()",
        "live",
        str(file),
        "--lanes",
        "25",
        "--json",
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = iter(running.stdout.readline, "")
    text = "".join(line for line in iter(lambda: next(lines, "}\n"), "}\n"))
    yield running, json.loads(text + "}")["url"]
    board = children(running.pid)
    running.send_signal(signal.SIGTERM)
    said = running.communicate(timeout=20)[1]
    assert (running.returncode, said) == (0, "stopped\n")
    assert board
    assert not any(alive(pid) for pid in board)


def children(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def alive(pid):
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0


def opened(browser, url, width=1280, scheme="light"):
    """The page once it has drawn some updates, and what the browser had to say."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    view, said = context.new_page(), []
    view.on("console", lambda message: said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    view.goto(url)
    until(view, lambda: view.evaluate("live.drawn") > 10)
    return view, said


def until(view, check, seconds=30):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "waited in vain"
        view.wait_for_timeout(50)


def ink(view, name):
    """How many colours there are on a canvas."""
    return view.evaluate(
        """name => { const c = document.getElementById(name);
        const d = new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer);
        return new Set(d).size; }""",
        name,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_readable(process, browser, width, scheme):
    """Nothing wider than the window, every canvas drawn, no word on the console."""
    view, said = opened(browser, process[1], width, scheme)
    until(view, lambda: view.evaluate("live.updates") > 40)
    view.evaluate("document.querySelector('#task option').textContent = 'a task with a long name (trained on)'")
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    ground = view.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) > 3 * 128) == (scheme == "light")
    for name, least in (("inputs", 20), ("outputs", 20), ("raster", 100), ("plane", 20)):
        assert ink(view, name) > least, name
    assert view.get_by_role("status").inner_text() == "Running the task flipflop"
    assert said == []
    view.context.close()


def test_updates_a_second(process, browser):
    """Counted over five seconds in the page: updates that came, and times that it was drawn."""
    view, _ = opened(browser, process[1])
    counts = "[live.updates, live.drawn, performance.now()]"
    before = view.evaluate(counts)
    view.wait_for_timeout(5000)
    updates, drawn, milliseconds = (b - a for a, b in zip(before, view.evaluate(counts), strict=True))
    seconds = milliseconds / 1000
    print(f"{updates / seconds:.1f} updates/s, {drawn / seconds:.1f} drawn/s")
    assert updates / seconds >= UPDATES_HZ
    assert drawn / seconds >= UPDATES_HZ
    view.context.close()


def test_with_the_keyboard_alone(process, browser):
    """Every control is reached by Tab, shows that it is focused, and works; the outputs follow a pulse."""
    view, said = opened(browser, process[1])

    def tab(selector):
        for _ in range(40):
            view.keyboard.press("Tab")
            if view.evaluate("s => document.activeElement.matches(s)", selector):
                assert view.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
                return
        raise AssertionError(f"Tab does not reach {selector}")

    view.keyboard.press("s")
    until(view, lambda: view.get_by_role("status").inner_text().startswith("Paused at step"))
    steps = view.evaluate("live.history.columns.at(-1).steps")
    tab("[data-do=step]")
    view.keyboard.press("Enter")
    until(view, lambda: view.evaluate("live.history.columns.at(-1).steps") == steps + 1)
    tab("#task")
    view.keyboard.press("b")  # by hand
    until(view, lambda: view.locator("#hand").is_visible())
    tab("#input-0")
    view.keyboard.press("ArrowRight")
    view.keyboard.press("Shift+Tab")
    view.evaluate("document.activeElement.blur()")
    view.keyboard.press(" ")
    until(view, lambda: view.evaluate("live.history.last.x[0]") > 0)
    until(view, lambda: view.get_by_role("status").inner_text() == "Running inputs by hand")
    for sign, word in ((1, "positive"), (-1, "negative")):
        tab(f"[aria-label='{word} pulse on x2']")
        view.keyboard.press("Enter")
        until(view, lambda sign=sign: sign * view.evaluate("live.history.last.z[1]") > 0.8)
        steps = view.evaluate("live.history.columns.at(-1).steps")  # the state settles before the next pulse
        until(view, lambda steps=steps: view.evaluate("live.history.columns.at(-1).steps") > steps + 30)
    assert view.locator("#compared").inner_text().startswith("all ")
    assert said == []
    view.context.close()
