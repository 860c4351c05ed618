"""The header of a GGUF file: metadata, and each tensor's shape, type and place, every number checked against the file's size.

MLX reads the tensors' bytes, and trusts the header that it finds: a damaged one would end the process.
"""

import math
import mmap
import struct
from pathlib import Path
from typing import Any, NamedTuple

from distill.core.errors import InputError

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}  # value types, as struct names them
STRING, ARRAY = 8, 9
FORMATS = {"F32": (1, 4), "F16": (1, 2), "Q4_0": (32, 18), "Q4_1": (32, 20), "Q8_0": (32, 34)}  # values of a block, its bytes
TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K",
    14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS",
    24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip


class Tensor(NamedTuple):
    """One tensor as the header describes it."""

    shape: tuple[int, ...]  # rows first
    format: str  # a key of FORMATS where it can be read


class Header(NamedTuple):
    """What a file says of itself."""

    metadata: dict[str, Any]  # numbers, strings and lists of them
    tensors: dict[str, Tensor]


def read(path: Path) -> Header:
    """Read and check the header of a whole GGUF file; anything else is an InputError."""
    if path.suffix != ".gguf":
        raise InputError(f"{path}: expected a file that ends in .gguf")
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _header(_Reader(data))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; download it, or correct student.file") from None
    except (struct.error, UnicodeDecodeError, ValueError) as error:  # ValueError: of ours, or an empty file
        raise InputError(f"{path}: not a whole GGUF file ({error}); take a file with the sha256 of its publisher") from None


class _Reader:
    """A cursor that never leaves the file."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.place = data, 0

    def number(self, kind: str) -> Any:
        """Return one number."""
        return self.numbers(kind, 1)[0]

    def numbers(self, kind: str, count: int) -> tuple[Any, ...]:
        """Return numbers that lie one after another."""
        return struct.unpack(f"<{count}{kind}", self.take(struct.calcsize("<" + kind) * count))

    def string(self) -> str:
        """Return a string."""
        return self.take(self.number("Q")).decode("utf-8")

    def value(self, kind: int) -> Any:
        """Return one value of metadata."""
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            raise ValueError(f"a value of type {kind} at byte {self.place}")
        inner, count = self.number("I"), self.number("Q")
        if inner in NUMBERS:
            return list(self.numbers(NUMBERS[inner], count))
        if inner != STRING:
            raise ValueError(f"a list of values of type {inner} at byte {self.place}")
        self.fits(8 * count)
        return [self.string() for _ in range(count)]

    def count(self, least: int) -> int:
        """Return a number of things of at least so many bytes each."""
        found: int = self.number("Q")
        self.fits(least * found)
        return found

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        self.fits(size)
        self.place += size
        return self.data[self.place - size : self.place]

    def fits(self, size: int) -> None:
        """Raise a ValueError unless the file goes on for so many bytes."""
        if size > len(self.data) - self.place:
            raise ValueError(f"{size} bytes are announced at byte {self.place} of {len(self.data)}")


def _header(reader: _Reader) -> Header:
    if reader.data[:4] != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    reader.place = 4
    if (version := reader.number("I")) not in (2, 3):
        raise ValueError(f"version {version}; read are 2 and 3")
    tensors, pairs = reader.count(0), reader.count(0)
    reader.fits(24 * tensors + 12 * pairs)
    metadata = {}
    for _ in range(pairs):
        key = reader.string()
        metadata[key] = reader.value(reader.number("I"))
    found, ends = {}, [0]
    for _ in range(tensors):
        name, shape = reader.string(), reader.numbers("Q", min(reader.number("I"), 1 << 20))[::-1]
        kind, offset = reader.number("I"), reader.number("Q")
        found[name], size = _tensor(name, shape, kind)
        ends.append(offset + size)
    step = metadata.get("general.alignment", 32)
    if not isinstance(step, int) or not 0 < step <= 1 << 20:
        raise ValueError(f"general.alignment is {step!r}")
    reader.place = math.ceil(reader.place / step) * step
    reader.fits(max(ends))
    return Header(metadata, found)


def _tensor(name: str, shape: tuple[int, ...], kind: int) -> tuple[Tensor, int]:
    """Return a tensor and how many bytes it takes; 0 for a type that is not read."""
    values, size = FORMATS.get(format := TYPES.get(kind, f"type {kind}"), (1, 0))
    if not 1 <= len(shape) <= 2 or 0 in shape or shape[-1] % values:
        raise ValueError(f"tensor {name} has shape {shape}; expected one or two dimensions, the last a multiple of {values}")
    return Tensor(shape, format), math.prod(shape) // values * size
