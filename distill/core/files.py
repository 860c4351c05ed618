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

from distill.core.errors import InputError

T = TypeVar("T")
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # no name, no time, best compression, unknown system


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
    if path.is_dir():  # a folder cannot be replaced in one step: move it away whole, so that no half of it is ever at `path`
        _remove(old)
        os.replace(path, old)
    os.replace(temporary, path)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def iterate_records(path: Path, kind: type[T]) -> Iterator[T]:
    """Yield every line of a JSON Lines file as `kind`; a bad line is an InputError that names ``file:line`` and the key."""
    decoder = msgspec.json.Decoder(kind)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    record = decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    raise InputError(f"{path}:{number}: not a {kind.__name__} record: {error}") from None
                yield record
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run `dvc repro` for the stage that makes it, or `dvc pull`") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path}: damaged gzip file ({error}); delete it and run `dvc pull` or `dvc repro`") from None


def read_records(path: Path, kind: type[T]) -> list[T]:
    """Return all records of a JSON Lines file; errors as in `iterate_records`."""
    return list(iterate_records(path, kind))


def write_records(path: Path, records: Iterable[msgspec.Struct]) -> int:
    """Write records as JSON Lines in the order given, whole or not at all, one in memory at a time; return how many."""
    count = checksum = size = 0
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS) if path.suffix == ".gz" else None
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(GZIP_HEADER if compressor else b"")  # `gzip` itself writes another header on Python 3.11 than on 3.13
        for record in records:
            line = msgspec.json.encode(record) + b"\n"
            count, size, checksum = count + 1, size + len(line), zlib.crc32(line, checksum)
            file.write(compressor.compress(line) if compressor else line)
        if compressor:
            file.write(compressor.flush() + struct.pack("<II", checksum, size & 0xFFFFFFFF))
    return count


def read_json(path: Path) -> Any:
    """Read one JSON document."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run `dvc repro` for the stage that makes it, or `dvc pull`") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from None


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
