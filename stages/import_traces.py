"""import_traces: the teacher's published work, each text matched to its problem and to its position in the published corpus.

The file is empty for a study whose teacher works here. So later stages depend on what was recorded, not on the raw folder.
"""

import sys
from collections import Counter
from typing import Any

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import iterate_records, read_records, write_records
from distill.records.problem import Problem
from distill.sources import recorded_chains, table_traces


def main(paths: Paths) -> None:
    """Write one record a recorded text."""
    section = study_file.optional_section(paths.study_file, "import_traces", dict[str, Any])
    kind = None if section is None else section.get("kind")
    if section is None:
        write_records(paths.recorded_traces, [])
    elif kind == "chains":
        params = study_file.section(paths.study_file, "import_traces", recorded_chains.Chains)
        traces, lacking = recorded_chains.read(paths.raw, params, read_records(paths.problems, Problem))
        write_records(paths.recorded_traces, traces)
        unrecorded = {f"no {level} recorded": count for level, count in lacking.items()}
        command.closing("import_traces", len(traces) + sum(lacking.values()), len(traces), unrecorded)
    elif kind == "table":
        table(paths)
    else:
        raise InputError(f"{paths.study_file}: section 'import_traces': kind is {kind!r}; allowed: chains, table, or {{}} for none")


def table(paths: Paths) -> None:
    """Write the texts of a table, one problem in memory at a time."""
    params = study_file.section(paths.study_file, "import_traces", table_traces.Params)
    levels = study_file.section(paths.study_file, "levels", list[str])
    if strange := [level for level in params.levels if level not in levels]:
        raise InputError(f"{paths.study_file}: import_traces.levels: no level '{strange[0]}'; levels here: {', '.join(levels)}")
    problems, counts = {problem.id for problem in iterate_records(paths.problems, Problem)}, Counter[str]()
    wrote = write_records(paths.recorded_traces, table_traces.read(paths.raw, params, problems, counts))
    print("".join(f"import_traces: {name}: {count}\n" for name, count in counts.items()), end="", file=sys.stderr)
    command.closing("import_traces", wrote, wrote)


if __name__ == "__main__":
    command.run(main)
