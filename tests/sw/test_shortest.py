"""The search for the shortest words: what it finds, and that it says when the network itself is at fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from autapse import shortest
from autapse.gallery import path
from autapse.loading import load
from autapse.network import Network
from autapse.shortest import shortest_for_data, shortest_for_task
from autapse.tasks import TASKS
from autapse.train import score_on

XOR = load(path("xor"))


def test_frontier_on_a_task() -> None:
    found = shortest_for_task(XOR, TASKS["xor"], bits=(4, 6), trials=200)
    assert (found.metric, found.float_figure, found.fragile, found.tried) == ("hold", 1.0, "", 27)
    assert found.frontier
    for one in found.frontier:
        assert one.figure >= found.limit == 0.99
        others = [other for other in found.frontier if other is not one]
        assert not any(np.all(np.less_equal(other.words, one.words)) for other in others)


def fake_scores(monkeypatch: pytest.MonkeyPatch, rule: Callable[[int, int, int], float]) -> None:
    """Make the score of an integer model a function of its words."""
    exact = shortest.Judge.of

    def of(self: shortest.Judge, net: object) -> float:
        return exact(self, net) if isinstance(net, Network) else rule(*net)  # type: ignore[misc]

    monkeypatch.setattr(shortest, "_with_words", lambda net, words, judge: words)
    monkeypatch.setattr(shortest.Judge, "of", of)


def test_scores_need_not_be_monotone(monkeypatch: pytest.MonkeyPatch) -> None:
    good = {(4, 6, 5), (6, 4, 4), (4, 7, 5), (7, 7, 7)}
    fake_scores(monkeypatch, lambda *words: 1.0 if words in good else 0.5)
    found = shortest_for_task(XOR, TASKS["xor"], bits=(4, 7), trials=20)
    assert [choice.words for choice in found.frontier] == [(6, 4, 4), (4, 6, 5)]
    assert any(gap.startswith("weights of 6 bits hold where 7 fail") for gap in found.gaps)
    assert not any(gap.startswith("states of 6 bits hold where 7") for gap in found.gaps)  # (4, 7, 5) holds too


def test_what_fails_on_many_trials_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: dict[tuple[int, int, int], int] = {}

    def rule(*words: int) -> float:
        runs[words] = runs.get(words, 0) + 1  # type: ignore[index,arg-type]
        return 0.5 if words == (4, 4, 4) and runs[words] > 1 else 1.0  # type: ignore[index]

    fake_scores(monkeypatch, rule)
    found = shortest_for_task(XOR, TASKS["xor"], bits=(4, 5), trials=20)
    assert {choice.words for choice in found.frontier} == {(5, 4, 4), (4, 5, 4), (4, 4, 5)}


def test_no_words_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_scores(monkeypatch, lambda *words: 0.0)
    assert shortest_for_task(XOR, TASKS["xor"], bits=(4, 5), trials=20).frontier == ()


def test_a_fragile_network_is_named() -> None:
    """More noise than it was trained for: the float network fails, whatever the words."""
    noisy = replace(TASKS["xor"], noise=1.5)  # type: ignore[type-var]
    assert score_on(XOR, noisy, noisy.trials(200, np.random.default_rng(0)))["hold"] < 0.9
    found = shortest_for_task(XOR, noisy, bits=(6, 6), trials=200)
    assert "the float network itself fails: hold 0." in found.fragile
    assert "no word length repairs that" in found.fragile
    assert found.spread > 0


def test_given_targets() -> None:
    x = TASKS["xor"].trials(20, np.random.default_rng(1)).x
    targets = XOR.run(x).z
    found = shortest_for_data(XOR, x, targets, tolerance=0.01, bits=(5, 8))
    assert (found.metric, found.float_figure, found.spread) == ("R^2", 1.0, 0.0)
    assert found.frontier
    assert "misses the targets" in shortest_for_data(XOR, x, -targets, bits=(5, 5)).fragile
    with pytest.raises(ValueError, match="targets must be"):
        shortest_for_data(XOR, x, targets[:, :-1])
    with pytest.raises(ValueError, match="the targets are constant"):
        shortest_for_data(XOR, x, np.ones_like(targets))


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="not has 1 inputs and 1 outputs; the network has 2 and 1"):
        shortest_for_task(XOR, TASKS["not"])
    with pytest.raises(ValueError, match="tolerance must not be negative"):
        shortest_for_task(XOR, TASKS["xor"], tolerance=-1, trials=10)
    with pytest.raises(ValueError, match="words must lie in 4 to 18, not 3 to 5"):
        shortest_for_task(XOR, TASKS["xor"], bits=(3, 5), trials=10)
