"""import_traces: the teacher's published work, each text matched to its problem and to its position in the published corpus.

The file is empty for a study whose teacher works here. So later stages depend on what was recorded, not on the raw folder.
"""

from typing import Any

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_records, write_records
from distill.records.problem import Problem
from distill.sources import recorded_chains


def main(paths: Paths) -> None:
    """Write one record a recorded text."""
    section = study_file.optional_section(paths.study_file, "import_traces", dict[str, Any])
    if section is None:
        write_records(paths.recorded_traces, [])
        return
    if (kind := section.get("kind")) != "chains":
        raise InputError(f"{paths.study_file}: section 'import_traces': kind is {kind!r}; allowed: chains, or {{}} for none")
    params = study_file.section(paths.study_file, "import_traces", recorded_chains.Chains)
    traces, lacking = recorded_chains.read(paths.raw, params, read_records(paths.problems, Problem))
    write_records(paths.recorded_traces, traces)
    unrecorded = {f"no {level} recorded": count for level, count in lacking.items()}
    command.closing("import_traces", len(traces) + sum(lacking.values()), len(traces), unrecorded)


if __name__ == "__main__":
    command.run(main)
