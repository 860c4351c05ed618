"""The evaluation sets beside the competition, one file each."""

from pathlib import Path

import msgspec

from stages.competition.problems import transfer
from stages.shared import stage
from stages.shared.files import Fault, replacing, write_records
from stages.shared.problem import Problem


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One benchmark of section `benchmarks`."""

    kind: str
    n: int
    seed: int


def generated(name: str, source: Source) -> list[Problem]:
    """Return the invented competition's transfer benchmark."""
    items = transfer(source.seed, source.n)
    return [
        Problem(f"{name}-{int(item.number):04}", name, "", 0, item.number, item.statement, item.gold, "", 0, "generated") for item in items
    ]


def main(study: str, out: str) -> None:
    """Read section `benchmarks`, write NAME.jsonl for each."""
    sources = stage.section(study, "benchmarks", dict[str, Source])
    wrote = 0
    with replacing(Path(out)) as folder:
        folder.mkdir()
        for name, source in sources.items():
            if source.kind != "competition":
                raise Fault(f"{study}: section 'benchmarks.{name}': kind is '{source.kind}'; allowed: competition")
            wrote += write_records(folder / f"{name}.jsonl", generated(name, source))
    stage.closing("benchmarks", len(sources), wrote)


if __name__ == "__main__":
    stage.run(main)
