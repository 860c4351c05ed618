"""JSON Lines one record at a time, for files that need not fit into memory; formats and faults are those of `files`."""

import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from stages.shared.files import GZIP_HEADER, Fault, replacing

T = TypeVar("T")


def read(path: Path, kind: type[T]) -> Iterator[T]:
    """Yield every line of a JSON Lines file as `kind`; a bad line is a Fault that names ``file:line`` and the key."""
    decoder = msgspec.json.Decoder(kind)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    record = decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise Fault(f"{path}:{number}: not a {kind.__name__} record: {error}") from None
                yield record
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; run `dvc repro` for the stage that makes it, or `dvc pull`") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Fault(f"{path}: damaged gzip file ({error}); delete it and run `dvc pull` or `dvc repro`") from None


def write(path: Path, records: Iterable[msgspec.Struct]) -> int:
    """Write records as JSON Lines in the order given, whole or not at all; return how many."""
    count = checksum = size = 0
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS) if path.suffix == ".gz" else None
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(GZIP_HEADER if squeeze else b"")
        for record in records:
            line = msgspec.json.encode(record) + b"\n"
            count, size, checksum = count + 1, size + len(line), zlib.crc32(line, checksum)
            file.write(squeeze.compress(line) if squeeze else line)
        if squeeze:
            file.write(squeeze.flush() + struct.pack("<II", checksum, size & 0xFFFFFFFF))
    return count
