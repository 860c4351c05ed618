"""The recorded texts of a study, by problem and level: read from their file one at a time, so that only their places are in memory."""

from pathlib import Path

import msgspec

from distill.core.errors import InputError
from distill.records.recorded_trace import RecordedTrace


class _Key(msgspec.Struct, frozen=True):
    id: str
    level: str


class RecordedTexts:
    """Recorded traces, looked up by problem and level."""

    def __init__(self, path: Path) -> None:
        self._path, self._places = path, dict[tuple[str, str], int]()
        self._decoder = msgspec.json.Decoder(RecordedTrace)
        key, place = msgspec.json.Decoder(_Key), 0
        try:
            self._file = path.open("rb")
            for line in self._file:
                found = key.decode(line)
                self._places[found.id, found.level] = place
                place += len(line)
        except (FileNotFoundError, msgspec.DecodeError) as error:
            raise InputError(f"{path}: {error}; run `dvc repro import_traces`") from None
        self.problems = {problem for problem, _ in self._places}

    def get(self, problem: str, level: str) -> RecordedTrace | None:
        """Return the recorded text of a problem at a level; None where there is none."""
        place = self._places.get((problem, level))
        if place is None:
            return None
        self._file.seek(place)
        try:
            return self._decoder.decode(self._file.readline())
        except msgspec.DecodeError as error:
            raise InputError(f"{self._path}: problem {problem}, level {level}: {error}; run `dvc repro import_traces`") from None
