"""What the calls to a corpus's models cost: calls, failures, tokens and dollars by role, read from the transcripts alone.

What this machine paid besides, for calls that gave no response, is only shown.
"""

import sys
from typing import Any

import msgspec

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.llm.call_store import CallStore
from distill.llm.endpoint_config import Endpoint
from distill.llm.usage_report import Usage, read_usage, together


class Role(msgspec.Struct, frozen=True):
    """The keys that this stage reads of a role's section."""

    teacher: str
    endpoint: str = ""  # the three of a role that a model plays
    model: str = ""
    batch: Any = None


def main(paths: Paths) -> None:
    """Read the transcripts of each role, write the usage of those that a model plays, and of all together."""
    endpoints = study_file.section(paths.study_file, "endpoints", dict[str, Endpoint])
    roles = {
        "solve": study_file.section(paths.study_file, "solve", Role),
        "verify": study_file.section(paths.study_file, "verify", Role),
        "condense": study_file.section(paths.study_file, "condense", Role),
    }
    found: dict[str, Usage] = {}
    for name, role in roles.items():
        price = endpoints[role.endpoint].price(role.model) if role.teacher == "chat" else None
        usage = read_usage(paths.transcripts / f"{name}.jsonl.gz", price, role.batch is not None)
        if price:
            found[name] = usage
    files.write_json(paths.cost_metrics, {**msgspec.to_builtins(found), "together": together(found.values())})
    if (store := paths.work / "calls.sqlite").exists():  # not a result: it depends on the faults that this machine met
        with CallStore(store) as opened:
            print(f"llm_cost: with all that came in vain, the call store counts {opened.ledger()}", file=sys.stderr)
    command.closing("llm_cost", sum(usage.calls for usage in found.values()), len(found))


if __name__ == "__main__":
    command.run(main)
