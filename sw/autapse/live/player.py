"""The thread that owns the board: feeds it, and tells what happens as messages for the page."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from autapse.link import DeviceResetError
from autapse.live.axes import Axes, SeenStates
from autapse.live.board import Board, Moved
from autapse.live.inputs import Hand, Trial, tasks_for
from autapse.live.messages import figures, greeting, moved
from autapse.live.pace import RATES, Pace, Rate

_FIGURES_SECONDS = 0.25

#: What a page asks for: called in the board's thread.
Order = Callable[["Player"], None]


class Player(threading.Thread):
    """Steps a board while somebody watches, and publishes what it does.

    It begins with the task that the network was trained on, or with inputs by hand. Orders are methods, given as
    ``player.ask(Player.pause)``, and run in the board's thread.

    Parameters
    ----------
    board
        The board; it is used by this thread alone from :meth:`start` on.
    seed
        Of the trials.

    Attributes
    ----------
    publish
        Called in the board's thread with every message, a dict that JSON can hold; see :mod:`autapse.live.messages`.
    failure
        What ended the thread, if it was not :meth:`stop`.
    """

    def __init__(self, board: Board, *, seed: int | None = None) -> None:
        super().__init__(name="board", daemon=True)
        self.board = board
        self.publish: Callable[[dict[str, Any]], None] = lambda message: None
        self.failure: BaseException | None = None
        identity, info = board.identity, {} if board.q is None else board.q.network.info
        trained_on = info.get("task")
        self.tasks = tasks_for(identity.inputs, identity.outputs, trained_on)
        self._hand = Hand(identity.inputs, identity.input_format.max_value)
        self._rng = np.random.default_rng(seed)
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._watching, self._stopping, self._running = 0, False, True
        self._task = trained_on if trained_on in self.tasks else None
        self._trial: Trial | None = None
        self._trials, self._score = 0, dict[str, float]()
        self._pace = Pace(40)
        self._steps, self._fresh = 0, True
        self._step_rate, self._update_rate, self._told = Rate(), Rate(), 0.0
        self._axes: Axes | None = None
        self._seen = SeenStates()

    def ask(self, order: Order) -> None:
        """Have an order carried out before the next update; from any thread."""
        self._orders.put(order)

    def stop(self) -> None:
        """End the thread, and wait for it."""
        self._stopping = True
        self.ask(lambda player: None)  # wakes it
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """Step and obey until :meth:`stop`, or until the board is gone."""
        try:
            self._begin()
            due = time.monotonic()
            while not self._stopping:
                self._obey(due)
                if self._moving and time.monotonic() >= due:
                    due = max(due + self._pace.period, time.monotonic())
                    self._update()
        except Exception as error:
            self.failure = error
            self.publish({"is": "end", "reason": str(error)})

    def join_in(self) -> None:
        """One more page watches: it is told where things are."""
        self._watching += 1
        self.publish(greeting(self.board, self.tasks))
        self._tell_mode()
        self._tell_axes()
        self._tell_figures()

    def leave(self) -> None:
        """One page less watches."""
        self._watching -= 1
        self._still()

    def pause(self) -> None:
        """Stop stepping."""
        self._running = False
        self._still()
        self._tell_mode()

    def resume(self) -> None:
        """Go on stepping."""
        self._running = True
        self._tell_mode()

    def step(self) -> None:
        """Pause, and do one step."""
        self.pause()
        self._advance(1)
        self._tell_figures()

    def reset(self) -> None:
        """The state to h0; in a task, a new trial."""
        self.board.reset()
        self._trial, self._fresh = None, True
        self._tell_mode()

    def choose(self, name: str | None) -> None:
        """Feed a task, by name, or by hand, None; from h0."""
        self._task, self._trials, self._score = name, 0, {}
        if name is not None:
            self._set_axes()
            self._tell_axes()
        self.reset()

    def put(self, channel: int, value: float) -> None:
        """Hold an input at a value."""
        self._hand.put(channel, value)
        self._tell_mode()

    def pulse(self, channel: int, sign: int) -> None:
        """A pulse of height 1 with this sign, or the largest that the input takes."""
        self._hand.pulse(channel, float(np.sign(sign)))

    def clear(self) -> None:
        """All inputs by hand to zero."""
        self._hand.clear()
        self._tell_mode()

    def set_rate(self, rate: int | None) -> None:
        """Steps a second: one of :data:`autapse.live.pace.RATES`."""
        self._pace = Pace(rate)
        self._still()
        self._tell_mode()

    @property
    def _moving(self) -> bool:
        return self._running and self._watching > 0 and not self._stopping

    def _begin(self) -> None:
        self.board.reset()
        self._set_axes()

    def _obey(self, due: float) -> None:
        """Carry out what was asked; wait for an order where there is nothing to do, until `due` if the board moves."""
        while not self._stopping:
            wait = max(0.0, due - time.monotonic()) if self._moving else None
            try:
                order = self._orders.get(timeout=wait)
            except queue.Empty:
                return
            self._guarded(lambda order=order: order(self))  # type: ignore[misc]

    def _update(self) -> None:
        began = time.monotonic()
        done = self._guarded(lambda: self._advance(self._pace.steps))
        self._pace.took(done or 0, time.monotonic() - began)
        if time.monotonic() - self._told > _FIGURES_SECONDS:
            self._guarded(self._tell_figures)

    def _guarded(self, action: Callable[[], int | None]) -> int | None:
        """Do it; if the device was reset meanwhile, say so and begin anew."""
        try:
            return action()
        except DeviceResetError:
            self.board.recover()
            self._trial, self._fresh = None, True
            self.publish({"is": "note", "text": "The board was reset: the state is h0 again."})
            return None

    def _advance(self, most: int) -> int:
        """At most so many steps, and the messages about them; how many there were."""
        if self._task is None:
            x, y = self._hand.take(most), None
        else:
            x, y = self._trial_now().take(most)
        there = self.board.advance(x)
        self._steps += len(x)
        self._step_rate.add(len(x))
        self._update_rate.add(1)
        self.publish(moved(self._steps, x, y, there, begins=self._fresh))
        self._fresh = False
        self._learn(there)
        return len(x)

    def _trial_now(self) -> Trial:
        """The trial that is under way, or a new one, which begins at h0."""
        assert self._task is not None
        if self._trial is not None and self._trial.ended:
            self._trials, self._score = self._trials + 1, self._trial.score()
            self.board.reset()
            self._trial = None
        if self._trial is None:
            self._trial, self._fresh = Trial(self.tasks[self._task], self._rng), True
        return self._trial

    def _learn(self, there: Moved) -> None:
        """Keep the outputs for the trial's score; without a network, take axes from the states that were seen."""
        if self._trial is not None:
            self._trial.keep(there.z)
        if self.board.q is None and (axes := self._seen.add(there.h)) is not None:
            self._axes = axes
            self._tell_axes()

    def _set_axes(self) -> None:
        """Those of the network, if it is at hand, on what it is fed with."""
        if self.board.q is not None:
            task = None if self._task is None else self.tasks[self._task]
            self._axes = Axes.of_network(self.board.q.network, task, self.board.identity.input_format.max_value)

    def _still(self) -> None:
        self._step_rate.clear()
        self._update_rate.clear()

    def _tell_mode(self) -> None:
        mode = {"task": self._task, "running": self._running, "rate": self._pace.rate, "rates": RATES}
        self.publish({"is": "mode", **mode, "values": self._hand.values.tolist(), "steps": self._steps})

    def _tell_axes(self) -> None:
        if self._axes is not None:
            self.publish(self._axes.message())

    def _tell_figures(self) -> None:
        self._told = time.monotonic()
        rates = {"steps_per_second": self._step_rate(), "updates_per_second": self._update_rate()}
        counts = {"steps": self._steps, "trials": self._trials, "score": self._score}
        self.publish(figures(self.board, {**rates, **counts}))
