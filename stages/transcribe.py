"""transcribe: a vision model reads the pages of the PDFs into problems, where a study has such a transcriber; nothing takes them over.

It depends on the PDFs, on its prompt and on its section, not on what was read of them. A call that is stored is not sent again, whatever
changed of the code.

metrics: transcriber: the model, or none; pages; failed: pages without a usable reply, by reason; rows; cost.
"""

from collections import Counter
from typing import Any

import msgspec

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.extraction.page_jobs import Limits
from distill.llm import role_client, transcripts
from distill.llm.request import key
from distill.llm.usage_report import read_usage
from distill.transcriber import page_images, transcriber
from distill.transcriber.transcriber import Read, Transcriber


class Pages(msgspec.Struct, frozen=True):
    """Of section `extract`: what reading a page may cost."""

    limits: Limits


def main(paths: Paths) -> None:
    """Write what the transcriber read, its calls and what they cost."""
    calls = paths.transcripts / "transcribe.jsonl.gz"
    params = study_file.optional_section(paths.study_file, "transcribe", Transcriber)
    found: dict[str, Any] = {"transcriber": "none"}
    read: list[Read] = []
    if params:
        read, cost = ask(paths, params)
        reasons = Counter(reason for _, reason in read if reason)
        rows = sum(len(rows) for rows, _ in read)
        found = {"transcriber": params.model, "pages": len(read), "failed": dict(sorted(reasons.items())), "rows": rows, "cost": cost}
    else:
        transcripts.write(calls, [])
    files.write_records(paths.transcriptions, (row for rows, _ in read for row in rows))
    files.write_json(paths.transcribe_metrics, found)
    command.closing("transcribe", len(read), sum(not reason for _, reason in read), Counter(reason for _, reason in read if reason))


def ask(paths: Paths, params: Transcriber) -> tuple[list[Read], dict[str, Any]]:
    """Ask about every page, and keep the calls as transcripts; return what was read of each page, and the cost."""
    limits = study_file.section(paths.study_file, "extract", Pages).limits
    prompt, folder = transcriber.load_prompt(params), paths.work / "transcribe"
    sheets = page_images.sheets(paths.raw, limits)
    requests = [transcriber.build_request(params, prompt, sheet, folder) for sheet in sheets]
    calls = paths.transcripts / "transcribe.jsonl.gz"
    with role_client.opened(paths.study_file, paths.work, "transcribe", params) as client:
        unknown = [sheet for sheet, request in zip(sheets, requests, strict=True) if not client.store.holds(key(request, 0))]
        page_images.draw(unknown, params.dpi, folder, limits)
        rows = list(client.run(lambda: (transcriber.transcribe(*each) for each in zip(requests, sheets, strict=True))))
        client.write_transcripts(calls)
        price = client.endpoint.price(params.model)
    return rows, msgspec.to_builtins(read_usage(calls, price, False))


if __name__ == "__main__":
    command.run(main)
