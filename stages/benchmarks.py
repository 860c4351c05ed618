"""benchmarks: the evaluation sets beside the competition, one file each: generated, or a published table."""

from typing import Any

import msgspec

from distill.answers.answer_format import read_form
from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import replacing, write_records
from distill.sources import benchmark_sources
from distill.sources.benchmark_sources import KINDS, Competition, Hub, Local, Repository


class Asked(msgspec.Struct, frozen=True):
    """Of section `sample`: the benchmarks that students are asked. Only these are made."""

    benchmarks: list[str]


def main(paths: Paths) -> None:
    """Read section `benchmarks`, write NAME.jsonl for each that section `sample` asks."""
    study = paths.study_file
    for name, keys in study_file.section(study, "benchmarks", dict[str, dict[str, Any]]).items():
        if keys.get("kind") not in KINDS:
            raise InputError(f"{study}: section 'benchmarks.{name}': kind is '{keys.get('kind')}'; allowed: {', '.join(KINDS)}")
    sources = study_file.section(study, "benchmarks", dict[str, Competition | Repository | Hub | Local])
    asked = study_file.section(study, "sample", Asked).benchmarks
    if unknown := [name for name in asked if name not in sources]:
        raise InputError(f"{study}: section 'sample' asks '{unknown[0]}'; section 'benchmarks' has {', '.join(sources)}")
    forms = {name: read_form(source.form, f"{study}: section 'benchmarks.{name}'") for name, source in sources.items()}
    wrote = 0
    with replacing(paths.benchmarks) as folder:
        folder.mkdir()
        for name, source in sources.items():
            if name in asked:
                problems = benchmark_sources.problems(source, name, forms[name], paths.work / "benchmarks" / name)
                made = write_records(folder / f"{name}.jsonl", problems)
                print(f"benchmarks: {name}: {made} problems; answers: {source.form}; licence: {source.licence}")
                wrote += made
    command.closing("benchmarks", len(asked), wrote)


if __name__ == "__main__":
    command.run(main)
