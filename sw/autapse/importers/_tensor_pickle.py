"""Pickles that hold tensors and plain containers, decoded without unpickling.

`pickletools.genops` splits the pickle into its operations without carrying any out; a small stack machine here knows
the operations that build numbers, text and containers. Nothing is ever imported or called on behalf of the file: a
global is a name, and a call of a name is one of the few cases of `_call`, or the file is refused.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autapse.errors import one_line

#: Types of PyTorch's storages, and the size of an element in bytes.
SIZES = {
    "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16, "bool": 1,
    "uint8": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint16": 2, "uint32": 4, "uint64": 8,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "bytes": 1,
}  # fmt: skip

_STORAGES = {
    "HalfStorage": "float16", "BFloat16Storage": "bfloat16", "FloatStorage": "float32", "DoubleStorage": "float64",
    "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128", "BoolStorage": "bool",
    "ByteStorage": "uint8", "CharStorage": "int8", "ShortStorage": "int16", "IntStorage": "int32",
    "LongStorage": "int64", "storage.UntypedStorage": "bytes",
}  # fmt: skip

_CALLS = {
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch.Size",
    "torch.device",
}


@dataclass(frozen=True)
class Storage:
    """A block of numbers in the archive: its record's name, its type, and how many numbers it holds."""

    key: str
    dtype: str
    numel: int


@dataclass(frozen=True)
class Tensor:
    """A strided view of a storage, all in elements of `dtype`."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class _Global:
    name: str


class _Mark:
    pass


def decode(data: bytes) -> Any:
    """The object of a pickle: containers of numbers, text and :class:`Tensor`.

    Raises ValueError, which names what it met, for every object of another kind and for a damaged pickle; a damaged
    pickle can also raise LookupError, TypeError or AttributeError. Nothing from the file is run in any case.
    """
    machine = _Machine()
    with warnings.catch_warnings(action="ignore"):  # of escape sequences in text, which is of the file's making
        for opcode, argument in _operations(data):
            if opcode == "STOP":
                return machine.pop()
            machine.step(opcode, argument)
    raise ValueError("a truncated pickle")


def _operations(data: bytes) -> Iterator[tuple[str, Any]]:
    """The operations by name, with their arguments."""
    operations = pickletools.genops(data)
    while True:
        try:
            opcode, argument, _ = next(operations)
        except StopIteration:
            return
        except Exception as error:  # what its decoders of numbers and text raise for damage
            raise ValueError(f"a damaged pickle: {one_line(error)}") from None
        yield opcode.name, argument


class _Machine:
    """The stack, the memo, and one method or table entry an operation."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        value = self.stack.pop()
        if isinstance(value, _Mark):
            raise ValueError("a damaged pickle: a mark where a value belongs")
        return value

    def items(self) -> list[Any]:
        """Everything above the topmost mark, which goes too."""
        at = max(i for i, value in enumerate(self.stack) if isinstance(value, _Mark))
        above = self.stack[at + 1 :]
        del self.stack[at:]
        return above

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self.stack.append(_global(argument.split(" ", 1) if name == "GLOBAL" else [self.pop(), self.pop()][::-1]))
        elif name == "REDUCE":
            arguments = self.pop()
            self.stack.append(_call(self.pop(), arguments))
        elif name == "BUILD":  # an OrderedDict's attributes: PyTorch's _metadata, versions of the modules
            self.pop()
            if not isinstance(self.stack[-1], dict):
                raise ValueError("an object with attributes; only tensors and plain containers are read")
        elif name == "BINPERSID":
            self.stack.append(_storage(self.pop()))
        elif name in ("PROTO", "FRAME"):
            pass
        elif name in _BUILDERS:
            _BUILDERS[name](self)
        else:
            raise ValueError(f"the pickle operation {name}, which builds objects; only tensors and containers are read")

    def tuple_of(self, count: int) -> None:
        values = tuple(self.pop() for _ in range(count))[::-1]
        self.stack.append(values)

    def set_items(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(pairs) % 2:
            raise ValueError("a damaged pickle: keys and values without a dictionary")
        target.update(zip(pairs[::2], pairs[1::2], strict=True))

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, set):
            target.update(values)
        elif isinstance(target, list):
            target.extend(values)
        else:
            raise ValueError("a damaged pickle: elements without a list")


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


_LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8",
}  # fmt: skip
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
    "MARK": _Mark,
}
_BUILDERS: dict[str, Callable[[_Machine], None]] = {
    "LIST": lambda m: m.stack.append(m.items()),
    "TUPLE": lambda m: m.stack.append(tuple(m.items())),
    "DICT": lambda m: m.stack.append(_pairs(m.items())),
    "TUPLE1": lambda m: m.tuple_of(1),
    "TUPLE2": lambda m: m.tuple_of(2),
    "TUPLE3": lambda m: m.tuple_of(3),
    "APPEND": lambda m: m.extend([m.pop()]),
    "APPENDS": lambda m: m.extend(m.items()),
    "ADDITEMS": lambda m: m.extend(m.items()),
    "SETITEM": lambda m: m.set_items([m.pop(), m.pop()][::-1]),
    "SETITEMS": lambda m: m.set_items(m.items()),
    "POP": lambda m: _forget(m.stack.pop()),
    "POP_MARK": lambda m: _forget(m.items()),
}


def _forget(_: Any) -> None:
    return


def _global(parts: list[Any]) -> Any:
    """A name that the file refers to: known, or refused; never looked up."""
    if len(parts) != 2 or not all(isinstance(part, str) for part in parts):
        raise ValueError("a damaged pickle: a global without a name")
    name = ".".join(parts)
    short = name.removeprefix("torch.").removeprefix("cuda.")
    if name in _CALLS or (name.startswith("torch.") and (short in _STORAGES or short in SIZES)):
        return _Global(name)
    raise ValueError(
        f"holds {name!r}, which is refused: only tensors and plain containers are read, and nothing in the file is "
        "run; save the weights alone, torch.save(model.state_dict(), path)"
    )


def _call(function: Any, arguments: Any) -> Any:
    name = function.name if isinstance(function, _Global) else None
    if not isinstance(arguments, tuple):
        raise ValueError("a damaged pickle: a call without arguments")
    if name == "collections.OrderedDict":
        return dict(*arguments)
    if name in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"):
        storage, offset, shape, stride = arguments[:4]
        if not isinstance(storage, Storage):
            raise ValueError("a damaged pickle: a tensor without a storage")
        dtype = storage.dtype
        if name.endswith("v3"):
            dtype = arguments[6].name.removeprefix("torch.")
        return Tensor(storage, dtype, _integer(offset), tuple(map(_integer, shape)), tuple(map(_integer, stride)))
    if name == "torch._utils._rebuild_parameter" and isinstance(arguments[0], Tensor):
        return arguments[0]
    if name == "torch.Size":
        return tuple(*arguments)
    if name == "torch.device":
        return ":".join(map(str, arguments))
    raise ValueError("a damaged pickle: a call of what cannot be called")


def _storage(pid: Any) -> Storage:
    """What PyTorch's persistent ids say: ("storage", type, key, location, number of elements)."""
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[1], _Global):
        raise ValueError("a damaged pickle: a persistent id that is no storage")
    short = pid[1].name.removeprefix("torch.").removeprefix("cuda.")
    return Storage(str(pid[2]), _STORAGES[short], _integer(pid[4]))


def _integer(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**48:
        raise ValueError(f"a damaged pickle: {value!r} is no size")
    return value
