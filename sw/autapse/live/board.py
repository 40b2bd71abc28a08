"""The board, in values instead of codes; and, where its network is at hand, compared with the integer model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from autapse.errors import AutapseError
from autapse.fixed import FloatArray, IntArray
from autapse.link import Device, ModelNetwork
from autapse.quantized import QuantizedNetwork


class Moved(NamedTuple):
    """Where some steps have led.

    Attributes
    ----------
    z : (steps, outputs)
        The outputs of each.
    h : (units,)
        The state after the last.
    """

    z: FloatArray
    h: FloatArray


class Board:
    """A network on a device. All its states in turn get the same inputs; the first is shown.

    Parameters
    ----------
    device
        An open device.
    q
        Its network, if it is at hand: everything is compared with the integer model then. AutapseError if the device
        runs another one.

    Attributes
    ----------
    compared, mismatches : int
        Values of outputs and states that were compared, and those that differed.
    saturated : int
        Input samples outside the range of the input format.
    """

    def __init__(self, device: Device, q: QuantizedNetwork | None = None) -> None:
        self.device, self.q = device, q
        self.identity = identity = device.identity
        if q is not None and q.model_hash() != identity.model_hash:
            raise AutapseError(
                f"the board runs network {identity.model_hash.hex()}, and the one given is {q.model_hash().hex()}"
            )
        self._model = None if q is None else ModelNetwork(q)
        self.compared = self.mismatches = self.saturated = 0

    def reset(self) -> None:
        """Set the state to h0."""
        self.device.reset()
        if self._model is not None:
            self._model.reset()

    def recover(self) -> None:
        """Begin anew after a reset of the device."""
        self.device.open()
        self.reset()

    def advance(self, x: FloatArray) -> Moved:
        """Steps with the inputs x, (steps, inputs)."""
        identity = self.identity
        codes, outside = identity.input_format.quantize(x)
        self.saturated += outside
        z = self.device.run(np.tile(codes, (1, identity.sequences)))
        z = z.reshape(len(x), identity.sequences, identity.outputs)
        state = self._read_state()
        if self._model is not None:
            self._compare(z, self._model.run(codes)[:, None])
            self._compare(state, self._model.state)
        return Moved(identity.z_format.dequantize(z[:, 0]), identity.state_format.dequantize(state[0]))

    def _read_state(self) -> IntArray:
        """Codes, (sequences, units)."""
        return self.device.read_state().reshape(self.identity.sequences, self.identity.units)

    def _compare(self, found: IntArray, expected: IntArray) -> None:
        self.compared += found.size
        self.mismatches += int((found != expected).sum())
