"""Files between stages: JSON Lines of typed records, written whole or not at all.

A path that ends in ``.gz`` is compressed, with a fixed header so that equal records give equal bytes on every Python.
Writers write to ``.NAME.tmp`` beside the target and rename: an interrupted stage leaves nothing half-written at a final path.
"""

import gzip
import json
import os
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # no name, no time, best compression, unknown system


class Fault(ValueError):
    """A fault in the input, not in the code: the message is one line that says what, where, actual, allowed and the way out."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path (file or folder, the caller creates it) that becomes `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = path.with_name(f".{path.name}.tmp"), path.with_name(f".{path.name}.old.tmp")
    _remove(temporary)
    try:
        yield temporary
        if not temporary.exists():
            raise FileNotFoundError(f"{path}: nothing was written to take its place")
    except BaseException:
        _remove(temporary)
        raise
    if path.is_dir():  # a folder cannot be replaced in one step: move it away whole, so that no half of it ever stands at `path`
        _remove(old)
        os.replace(path, old)
    os.replace(temporary, path)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_records(path: Path, kind: type[T]) -> list[T]:
    """Decode every line of a JSON Lines file as `kind`; a bad line is a Fault that names ``file:line`` and the key."""
    decoder = msgspec.json.Decoder(kind)
    records = []
    for number, line in enumerate(_lines(path), 1):
        try:
            records.append(decoder.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Fault(f"{path}:{number}: not a {kind.__name__} record: {error}") from None
    return records


def _lines(path: Path) -> list[bytes]:
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; run `dvc repro` for the stage that makes it, or `dvc pull`") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Fault(f"{path}: damaged gzip file ({error}); delete it and run `dvc pull` or `dvc repro`") from None
    return data.splitlines()


def write_records(path: Path, records: Iterable[msgspec.Struct]) -> int:
    """Write records as JSON Lines in the order given; return how many."""
    lines = [msgspec.json.encode(record) for record in records]
    data = b"".join(line + b"\n" for line in lines)
    with replacing(path) as temporary:
        temporary.write_bytes(_gzip(data) if path.suffix == ".gz" else data)
    return len(lines)


def _gzip(data: bytes) -> bytes:
    """Compress to one gzip member; `gzip.compress` writes another header on 3.11 than on 3.13."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    tail = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return GZIP_HEADER + squeeze.compress(data) + squeeze.flush() + tail


def read_json(path: Path) -> Any:
    """Read one JSON document."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; run `dvc repro` for the stage that makes it, or `dvc pull`") from None
    except ValueError as error:
        raise Fault(f"{path}: not JSON: {error}") from None


def write_json(path: Path, document: Any) -> None:
    """Write one JSON document with floats rounded to 6 digits after the point, in the key order given."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(_rounded(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write one text file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) + 0.0  # -0.0 becomes 0.0
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
