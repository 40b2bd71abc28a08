"""The client: a network on the other end of a transport."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autapse.errors import AutapseError
from autapse.fixed import IntArray
from autapse.link.errors import DeviceResetError
from autapse.link.payloads import array_frames, output_codes, row_frames
from autapse.link.session import Session
from autapse.link.transport import Transport
from autapse.link.upload import check_upload, upload_image
from autapse.protocol import (
    Command,
    Counters,
    Features,
    Identity,
    Status,
    Trace,
    pack_ints,
    unpack_ints,
)
from autapse.quantized import QuantizedNetwork

#: Rows of inputs; None says that there is none for the moment.
Inputs = NDArray[Any] | list[Any] | tuple[Any, ...] | Iterable[ArrayLike | None]
#: Told how many steps are done, or bytes.
Progress = Callable[[int], None]

# Seconds that a host, its driver and a USB bridge may take, beyond what line and device do.
_HOST_SECONDS = 0.25


class Device:
    """The network on the other end of `transport`. A context manager, which closes the transport.

    Up to ``identity.window`` requests are on their way at a time. What is lost is sent again, and the device executes
    each request only once, in order: so nothing steps the state twice, and nothing is left out. If the device was
    reset in between, :class:`DeviceResetError` says so.

    Parameters
    ----------
    transport
        The bytes' way.
    timeout
        Seconds to wait for an answer; if left out, half a second until the device has said how much it holds, and then
        what its window takes at the transport's baud rate.
    retries
        How often a request is sent again without hearing from the device.
    sequence
        First number of requests outside the window; a random one if it is left out.
    reconnect
        Seconds to wait for a transport that is gone, if it can be opened anew.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout: float | None = None,
        retries: int = 7,
        sequence: int | None = None,
        reconnect: float = 5.0,
    ) -> None:
        if timeout is not None and timeout <= 0:
            raise ValueError(f"a timeout is positive, not {timeout}")
        if retries < 0:
            raise ValueError(f"retries are 0 or more, not {retries}")
        if sequence is None:
            sequence = secrets.randbelow(256)
        self._transport = transport
        self._timeout = timeout
        self._session = Session(transport, timeout or 0.5, retries, reconnect, sequence)
        self._identity: Identity | None = None

    def __enter__(self) -> Self:
        try:
            self._session.drain()
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()

    def open(self) -> Status:
        """Begin a session, and say where the device is; also to go on after an error."""
        self.identify()
        return self._session.open()

    def identify(self) -> Identity:
        """Ask the device what it is."""
        self._identity = identity = Identity.from_bytes(self._session.ask(Command.IDENTIFY))
        self._session.window = identity.window
        if self._timeout is None and (baud := getattr(self._transport, "baud", None)):
            self._session.timeout = _HOST_SECONDS + 2 * 10 * identity.room / baud + 2 * _compute_seconds(identity)
        return identity

    @property
    def identity(self) -> Identity:
        """What the device is; asked once."""
        return self._identity if self._identity is not None else self.identify()

    @property
    def recoveries(self) -> int:
        """How often something was lost on the way and sent again."""
        return self._session.recoveries

    def status(self) -> Status:
        """Which session the device is in, and how many steps it has executed."""
        return Status.from_bytes(self._session.ask(Command.STATUS))

    def counters(self) -> Counters:
        """What the device has counted."""
        return Counters.from_bytes(self._session.ask(Command.COUNTERS))

    def abort(self) -> Status:
        """End the session: the device executes nothing more. The requests before have been executed.

        So a stream can be abandoned: at most a window of frames is still executed, and the status says how many steps
        that has made. Their outputs are dropped. :meth:`open` goes on from there.
        """
        return self._session.end()

    def reset(self) -> None:
        """Set the state to h0."""
        self._execute(Command.RESET)

    def read_state(self) -> IntArray:
        """The state's codes (units,), int64; (sequences, units) if the core has several."""
        identity = self.identity
        self._settle()
        data = self._session.ask(Command.READ_STATE)
        return unpack_ints(data, identity.states, identity.state_format.bits).reshape(identity.state_shape)

    def read_trace(self) -> Trace:
        """From which sums the states were made, in arrays of the shape that :meth:`read_state` gives.

        AutapseError if the device was built without a trace.
        """
        identity = self.identity
        if not identity.features & Features.TRACE:
            raise AutapseError("this device has no trace: 'autapse build --trace' makes one that has")
        self._settle()
        return Trace.from_bytes(self._session.ask(Command.READ_TRACE), identity.state_shape, identity.sum_bits)

    def set_state(self, codes: ArrayLike) -> None:
        """Set the state to codes of the shape that :meth:`read_state` gives."""
        identity = self.identity
        if not identity.features & Features.SET_STATE:
            raise AutapseError("the state of this device cannot be set, only reset")
        state = np.asarray(codes)
        if state.shape != identity.state_shape:
            raise ValueError(f"a state has codes of shape {identity.state_shape}, not {state.shape}")
        self._execute(Command.SET_STATE, pack_ints(state.ravel(), identity.state_format.bits))

    def upload(self, q: QuantizedNetwork, *, progress: Progress | None = None) -> None:
        """Put the weights and biases of `q` into the device; the state is then h0, and `identity` that of `q`.

        Until all of them have arrived the device makes no steps. `progress` is told how many bytes have. AutapseError
        if they cannot be uploaded, or if `q` differs from what was built in something else.
        """
        check_upload(self.identity, q)
        self._settle()
        upload_image(self._session, self.identity, q, progress)
        self.identify()

    def step(self, x_codes: ArrayLike) -> IntArray:
        """One step: `inputs` input codes in, `outputs` output codes out (int64)."""
        identity = self.identity
        codes = np.asarray(x_codes)
        if codes.shape != (identity.step_inputs,):
            raise ValueError(f"a step takes {identity.step_inputs} input codes, not an array of shape {codes.shape}")
        payload = self._execute(Command.STEP, pack_ints(codes, identity.input_format.bits), 1)
        return output_codes(identity, payload, 1).ravel()

    def run(self, x_codes: ArrayLike, *, checkpoint: int | None = None, progress: Progress | None = None) -> IntArray:
        """Steps from the present state: input codes (time, inputs) in, output codes (time, outputs) out.

        `checkpoint` as in :meth:`stream`.
        """
        identity = self.identity
        codes = np.asarray(x_codes)
        if codes.ndim != 2 or codes.shape[1] != identity.step_inputs:
            raise ValueError(f"a run takes codes of shape (time, {identity.step_inputs}), not {codes.shape}")
        out = np.empty((len(codes), identity.step_outputs), dtype=np.int64)
        for t, row in enumerate(self.stream(codes, checkpoint=checkpoint)):
            out[t] = row
            if progress is not None:
                progress(t + 1)
        return out

    def stream(self, inputs: Inputs, *, batch: int | None = None, checkpoint: int | None = None) -> Iterator[IntArray]:
        """Steps from the present state, with the window full: yields the output codes (outputs,) of each.

        Parameters
        ----------
        inputs
            Input codes: an array (time, inputs), or an iterable of rows. One that has no row for the moment yields
            None, and is asked again when all outputs have been yielded.
        batch
            Steps in a frame. As many as fit for an array; for an iterable 1, so that it is not asked for many rows
            ahead. The window holds ``identity.window`` frames.
        checkpoint
            Steps after which the state is read. If the device is reset, it is set to the last one, and the steps since
            then are repeated; what is yielded shows no trace of it. Without it, a reset raises DeviceResetError.
        """
        identity = self.identity
        many = isinstance(inputs, np.ndarray | list | tuple)
        batch = batch if batch is not None else identity.batch if many else 1
        if not 1 <= batch <= identity.batch:
            raise ValueError(f"a frame holds 1 to {identity.batch} steps, not {batch}")
        if many:
            frames = array_frames(identity, np.asarray(inputs), batch)
        else:
            frames = row_frames(identity, iter(inputs), batch)
        self._settle()
        if checkpoint is None:
            return self._rows(frames)
        if checkpoint < 1:
            raise ValueError(f"a checkpoint comes after 1 step or more, not {checkpoint}")
        return self._rows_with_checkpoints(frames, -(-checkpoint // batch))

    def _rows(self, frames: Iterator[bytes | None]) -> Iterator[IntArray]:
        """Outputs of the steps in `frames`, each yielded when it comes."""
        exhausted = False
        sent: deque[int] = deque()  # steps of the frames under way
        while not exhausted or sent:
            while not exhausted and self._session.room:
                try:
                    payload = next(frames)
                except StopIteration:
                    exhausted = True
                    break
                if payload is None:
                    while sent:
                        yield from output_codes(self.identity, self._session.receive(), sent.popleft())
                else:
                    sent.append(len(payload) // self.identity.step_input_bytes)
                    self._session.send(Command.STEP, payload, sent[-1])
            if sent:
                yield from output_codes(self.identity, self._session.receive(), sent.popleft())

    def _rows_with_checkpoints(self, frames: Iterator[bytes | None], frames_each: int) -> Iterator[IntArray]:
        """The same; after a reset the frames since the last checkpoint are run once more, without what was yielded."""
        state = self.read_state()
        while block := list(islice(frames, frames_each)):
            done = 0
            while True:
                try:
                    for row in islice(self._rows(iter(block)), done, None):
                        yield row
                        done += 1
                    following = self.read_state()
                    break
                except DeviceResetError:
                    self._restore(state)
            state = following

    def _restore(self, state: IntArray) -> None:
        """Open a new session, and set the state; again if the device is reset meanwhile."""
        while True:
            try:
                self.open()
                self.set_state(state)
                return
            except DeviceResetError:
                continue

    def _execute(self, command: Command, payload: bytes = b"", steps: int = 0) -> bytes:
        """One request that is executed once, and its answer."""
        self._settle()
        self._session.send(command, payload, steps)
        return self._session.receive()

    def _settle(self) -> None:
        """Receive and drop what is outstanding: a stream was not read to its end."""
        while self._session.outstanding:
            self._session.receive()


def _compute_seconds(identity: Identity) -> float:
    """At most what the steps of a full window take, with a multiplication of each lane in a cycle or two."""
    rows, columns = identity.units + identity.outputs, identity.units + identity.inputs + 1
    cycles = 2 * identity.sequences * -(-rows // identity.lanes) * columns + 200
    return identity.window * identity.batch * cycles / max(identity.clock_hz, 1_000_000)
