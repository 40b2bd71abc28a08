"""The image of weights and biases: where each of them lies, and that all of them come back."""

import re
import zlib

import numpy as np
import pytest

from autapse.errors import AutapseError
from autapse.fixed import Format
from autapse.link.upload import check_upload
from autapse.network import Network
from autapse.protocol import Identity, Upload, apply_payload, block_offset, write_payloads
from autapse.quantize import quantize
from autapse.quantized import UPLOADED, QuantizedNetwork
from autapse.weight_memory import Part, WeightMemory


def make_network(units: int = 5, inputs: int = 2, outputs: int = 3, weight_bits: int = 7) -> QuantizedNetwork:
    rng = np.random.default_rng(units)
    sizes = {"W": (units, units), "W_in": (units, inputs), "W_out": (outputs, units), "b": units, "b_out": outputs}
    return quantize(Network(**{name: rng.normal(size=size) for name, size in sizes.items()}), weight_bits=weight_bits)


def memory_of(q: QuantizedNetwork, rows: int, cols: int, drains: int) -> WeightMemory:
    return WeightMemory(q.units, q.inputs, q.outputs, rows, cols, drains, q.formats.W.bits, q.formats.acc_bits)


def code(image: bytes, part: Part, word: int, at: int, bits: int) -> int:
    """The code at bit `at` of a word, found bit by bit as docs/protocol.md says."""
    value = 0
    for k in range(bits):
        stripe, bit = divmod(at + k, 16)
        byte = image[2 * (stripe * part.depth + word) + bit // 8]
        value |= (byte >> bit % 8 & 1) << k
    return value - (value >> (bits - 1) << bits)


@pytest.mark.parametrize(("rows", "cols", "drains"), [(1, 1, 1), (3, 2, 1), (8, 4, 2), (5, 7, 7), (4, 4, 4)])
def test_every_weight_lies_where_the_specification_says(rows: int, cols: int, drains: int) -> None:
    q = make_network()
    memory, f = memory_of(q, rows, cols, drains), q.formats
    image = memory.image(q)
    assert len(image) == memory.size
    assert memory.size % 32 == 0
    weights, biases = image[: memory.weights.size], image[memory.weights.size :]
    full = np.block([[np.zeros((q.outputs, q.inputs), int), q.W_out], [q.W_in, q.W]])
    bias = np.concatenate([q.b_out, q.b])
    slots, groups = -(-(q.inputs + q.units) // cols), -(-rows // drains)
    for row in range(q.outputs + q.units):
        tile, r = divmod(row, rows)
        for column in range(q.inputs + q.units):
            slot, c = divmod(column, cols)
            word, at = tile * slots + slot, (r * cols + c) * f.W.bits
            assert code(weights, memory.weights, word, at, f.W.bits) == full[row, column]
        group, a = divmod(r, drains)
        assert code(biases, memory.biases, tile * groups + group, a * f.acc_bits, f.acc_bits) == -bias[row]
    back = memory.network(image, q)
    for name in UPLOADED:
        np.testing.assert_array_equal(getattr(back, name), getattr(q, name))
    assert back.model_hash() == q.model_hash()


def test_payloads_write_the_image_block_by_block() -> None:
    q = make_network()
    memory = memory_of(q, 8, 4, 2)
    image, written = memory.image(q), bytearray(memory.size)
    payloads = list(write_payloads(memory, image))
    assert len(payloads) == memory.size // 32
    for payload in reversed(payloads):
        at, data = block_offset(memory, payload)
        assert at is not None
        written[at : at + 32] = data
    assert written == image
    for stripe, block in ((memory.stripes, 0), (0, memory.weights.depth // 16), (memory.stripes - 1, 99)):
        payload = stripe.to_bytes(2, "little") + block.to_bytes(2, "little") + bytes(32)
        assert block_offset(memory, payload)[0] is None
    assert apply_payload(image, b"01234567") == zlib.crc32(image).to_bytes(4, "little") + b"01234567"


def test_the_circuit_hash_is_that_of_all_that_an_upload_does_not_change() -> None:
    q = make_network()
    other = memory_of(q, 8, 4, 2).network(bytes(memory_of(q, 8, 4, 2).size), q)
    assert not other.W.any()
    assert other.model_hash() == q.circuit_hash() == other.circuit_hash() != q.model_hash()
    assert make_network(weight_bits=8).circuit_hash() != q.circuit_hash()


def identity_of(q: QuantizedNetwork, **changes: object) -> Identity:
    f = q.formats
    fields = {"units": q.units, "inputs": q.inputs, "outputs": q.outputs, "lanes": 6, "clock_hz": 12}
    fields |= {"input_format": f.x, "state_format": f.state, "z_format": f.z, "model_hash": q.model_hash()}
    how = {"cols": 2, "drains": 1, "weight_bits": f.W.bits, "acc_bits": f.acc_bits, "circuit": q.circuit_hash()}
    how |= {name: changes.pop(name) for name in list(changes) if name in how}
    return Identity(**{**fields, "upload": Upload(**how), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"upload": None}, "the weights of this device are fixed; build it with 'autapse build --upload'"),
        ({"units": 6}, "units: the device has 6, and the network 5; build it anew"),
        ({"outputs": 1}, "outputs: the device has 1, and the network 3"),
        ({"weight_bits": 8}, "bits of a weight: the device has 8, and the network 7"),
        ({"input_format": Format(8, 3)}, "inputs: the device has 8 bits with 3 of fraction, and the network 8 bits"),
        ({"circuit": bytes(8)}, "another activation, decay, gain, initial state, or scale of the weights"),
    ],
)
def test_another_circuit_is_refused(changes: dict[str, object], message: str) -> None:
    q = make_network()
    check_upload(identity_of(q), q)
    with pytest.raises(AutapseError, match=re.escape(message)):
        check_upload(identity_of(q, **changes), q)
