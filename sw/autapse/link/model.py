"""What an emulated device drives: the integer model of a network, with its state."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autapse import reference
from autapse.fixed import IntArray
from autapse.protocol import Identity, Upload
from autapse.quantized import QuantizedNetwork
from autapse.weight_memory import WeightMemory


class Network(Protocol):
    """What a device drives. All codes are those of the identity's formats, in its order."""

    state: IntArray

    def origins(self) -> tuple[IntArray, NDArray[np.bool_]]:
        """From which sums the last step has made the states, and which of these were clipped; only for a trace."""

    def reset(self) -> None:
        """Set the state to h0."""

    def image(self, memory: WeightMemory) -> bytes:
        """Weights and biases as they lie in the memory of a device whose weights can be uploaded."""

    def load(self, memory: WeightMemory, image: bytes) -> None:
        """Take other ones."""

    def run(self, x: IntArray) -> IntArray:
        """Steps: input codes (time, inputs) in, output codes (time, outputs) out."""


class ModelNetwork:
    """The integer model of a network, with its state."""

    def __init__(self, q: QuantizedNetwork) -> None:
        self.q = q
        self.state = q.h0.copy()
        self._before = self.state, np.zeros(q.inputs, np.int64)  # the last step

    def reset(self) -> None:
        """Set the state to h0."""
        self.state = self.q.h0.copy()

    def image(self, memory: WeightMemory) -> bytes:
        """The network's weights and biases as they lie in the memory."""
        return memory.image(self.q)

    def load(self, memory: WeightMemory, image: bytes) -> None:
        """Take those of `image`."""
        self.q = memory.network(image, self.q)

    def run(self, x: IntArray) -> IntArray:
        """Steps from the present state."""
        result = reference.run(self.q, x[None], state=self.state[None])
        states = np.concatenate([self.state[None], result.h[0]])
        self._before, self.state = (states[-2], x[-1]), states[-1]
        z: IntArray = result.z[0]
        return z

    def origins(self) -> tuple[IntArray, NDArray[np.bool_]]:
        """The pre-activations of the last step, and which of them saturated."""
        state, x = self._before
        sums = reference.pre_activation(self.q, state[None], x[None])[0]
        return sums, reference.saturated(self.q, sums)

    def identity(self, lanes: int = 1, clock_hz: int = 0, *, upload: bool = False, trace: bool = False) -> Identity:
        """What a device with this network says of itself; with `upload`, one whose weights can be changed, and with
        `trace`, one that gives pre-activations."""
        q, f = self.q, self.q.formats
        how = Upload(1, 1, f.W.bits, f.acc_bits, q.circuit_hash()) if upload else None
        shape = (q.units, q.inputs, q.outputs)
        sum_bits = f.acc_bits if trace else 0
        return Identity(q.model_hash(), *shape, f.x, f.state, f.z, lanes, clock_hz, upload=how, sum_bits=sum_bits)
