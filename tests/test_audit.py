"""What the audit counts, and what its page shows."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, write_json, write_records, write_text
from distill.records.assignment import Assignment
from distill.records.contamination_match import ContaminationMatch
from distill.records.extracted_item import ExtractedItem
from distill.records.recorded_trace import RecordedTrace
from stages import audit
from tests import rendered, trees
from tests import tiny_model as toy

TABLE = "verdict,group,Count\nCORRECT,all,5\nINCORRECT,all,3\nCORRECT,one,2\n"
COUNTS = {"train": 3, "valid": 1, "test": 1, "dropped": {"no verified work at every level": 2}, "flaws": {"a placeholder": 1}}
LEVELS = {"r1": {"texts": 4, "words": 12.34, "states_answer": 3, "truncated": 1}, "answer": {"texts": 4, "words": 2.0, "states_answer": 4}}


class Bench:
    """Eight problems: 2 copies 1, 3 is near 1, 8 is a placeholder; a corpus of five rows was published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.denominators: dict[str, Any] = {"r1": {"file": "verdicts.csv", "column": "Count", "rows": {"group": "all"}}}
        self.corrections: list[dict[str, Any]] = []
        self.matches: list[ContaminationMatch] = []
        same = toy.problem(1).statement
        self.problems = [toy.problem(number, same if number == 2 else None) for number in range(1, 9)]
        cluster = {2: 1, 3: 1}
        names = {number: f"competition-{number:02d}" for number in range(1, 10)}
        self.split = [
            Assignment(names[n], names[cluster.get(n, n)], "train" if n in (1, 2, 3, 4) else "heldout", n != 8) for n in range(1, 9)
        ]
        self.items = [self.read(names[n], 1.0 - n / 10, agrees=n != 4) for n in range(1, 8)]
        self.items.append(self.read(names[8], 0.0, "placeholder"))
        parts = [("train", 1), ("train", 4), ("train", 8), ("valid", 2), ("test", 3)]
        self.traces = [RecordedTrace(names[n], "r1", part, 0, "one two three") for part, n in parts]

    def read(self, name: str, similarity: float, *flags: str, agrees: bool | None = None, rank: int = 0) -> ExtractedItem:
        return ExtractedItem(
            name, "2015 FS.pdf", 2, (0.0, 0.0, 9.0, 9.0), "secret words", "7|8", similarity, ["-15", "+51"], agrees, name, rank, list(flags)
        )

    def run(self) -> tuple[dict[str, Any], str]:
        paths = trees.below(self.folder)
        write_records(paths.problems, self.problems)
        write_records(paths.extracted, self.items)
        write_records(paths.recorded_traces, self.traces)
        write_records(paths.split, self.split)
        write_records(paths.contamination, self.matches)
        paths.raw.mkdir(exist_ok=True)
        (paths.raw / "verdicts.csv").write_text(TABLE)
        write_json(paths.levels_metrics, LEVELS)
        write_json(paths.corpora / "r1" / "counts.json", COUNTS)
        sections = {"audit": {"similar": [0.9, 0.6], "denominators": self.denominators}, "corrections": self.corrections}
        write_text(paths.study_file, yaml.safe_dump(sections))
        write_text(paths.params, "arms: [r1]\n")
        study_file.study.cache_clear()
        audit.main(paths)
        return read_json(paths.audit_metrics), paths.audit_page.read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_counts(bench: Bench) -> None:
    found, _ = bench.run()
    assert found["problems"] == {
        "rows": 8, "placeholders": 1, "real": 7, "distinct_texts": 7, "distinct_texts_real": 6, "clusters": 5, "clusters_of_several": 1,
        "problems_in_clusters_of_several": 3, "largest_cluster": 3, "split": {"heldout": 4, "train": 4},
        "asked": {"heldout": 3, "train": 4}, "sections": {"two-person": 7},
    }  # fmt: skip
    assert found["reading"] == {
        "real": 7, "found": 7, "similarity_0.9": 1, "similarity_0.6": 4, "keys_read": 7, "keys_agree": 6, "flags": {"placeholder": 1},
    }  # fmt: skip
    assert found["published"] == {"r1": {
        "train": 3, "valid": 1, "test": 1, "rows": 5, "distinct_questions": 4, "placeholders": 1, "asked_and_trained_on": 3,
        "near_and_trained_on": 4, "unseen_rows_trained_on": 1, "clusters_on_two_sides": 1, "words": 3.0,
    }}  # fmt: skip
    assert (found["levels"], found["denominators"], found["arms"]) == (LEVELS, {"r1": 8}, {"r1": COUNTS})


def test_the_page_shows_suspects_by_rank_and_no_text(bench: Bench) -> None:
    bench.items[0] = bench.read("competition-01", 0.7, "suspect_text", rank=2)
    bench.items[1] = bench.read("competition-02", 0.5, "suspect_text", "suspect_answer", agrees=False, rank=1)
    bench.items.append(bench.read("competition-09", 0.0, "untranscribed"))
    bench.corrections = [
        {"item": "competition-02", "field": "statement", "from": "15", "to": "51", "page": 2, "reason": "the page prints 51"}
    ]
    found, page = bench.run()
    assert found["reading"]["real"] == 7
    assert found["reading"]["flags"]["untranscribed"] == 1
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.replace("\\|", "!").splitlines() if line.startswith("|")]
    first = rows.index(["1", "competition-02", "2015 FS.pdf", "2", "0.50", "-15 +51", "yes"])
    assert rows[first + 1] == ["2", "competition-01", "2015 FS.pdf", "2", "0.70", "-15 +51", ""]
    assert ["competition-02", "2015 FS.pdf", "2", "7!8", ""] in rows
    assert ["competition-02", "statement", "15", "51", "2", "the page prints 51"] in rows
    assert ["competition-09", "2015 FS.pdf", "2", "untranscribed"] in rows
    assert ["r1", "3", "1", "1", "no verified work at every level: 2", "a placeholder: 1"] in rows
    assert ["train", "competition-01 competition-02 competition-03"] in rows
    assert "secret words" not in page
    assert "Find the sum" not in page


def test_benchmark_problems_are_listed_by_id_and_rule(bench: Bench) -> None:
    def match(name: str, item: str, rule: str, score: float, drop: bool) -> ContaminationMatch:
        return ContaminationMatch(name, "statement", "aime", item, rule, score, drop, "secret words")

    assert "Problems of the benchmarks" not in bench.run()[1]
    bench.matches = [
        match("competition-01", "aime-0002", "near", 0.5, False),
        match("competition-03", "aime-0001", "ngram", 0.75, True),
        match("competition-03", "aime-0001", "near", 0.25, False),
    ]
    _, page = bench.run()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    first = rows.index(["aime-0001", "competition-03", "ngram 0.75, near 0.25", "yes"])
    assert rows[first + 1] == ["aime-0002", "competition-01", "near 0.50", ""]
    assert "secret words" not in page


def test_foreign_text_opens_nothing(bench: Bench) -> None:
    bad = rendered.HOSTILE
    items = [
        bench.read("competition-01", 0.7, "suspect_text", rank=1),
        bench.read("competition-02", 0.5, "suspect_answer", "untranscribed"),
    ]
    bench.items[:2] = [replace(each, source=bad, key=bad, differs=[bad]) for each in items]
    correction = {"item": "competition-02", "field": "statement", "from": bad, "to": bad, "page": 2, "reason": bad}
    bench.corrections = [correction]
    _, page = bench.run()
    assert page.count("alert(1)") > 6
    html, links = rendered.opened(page)
    assert (html, links) == ([], set())


def test_a_study_without_recorded_work_has_a_shorter_page(bench: Bench) -> None:
    bench.traces, bench.denominators = [], {}
    found, page = bench.run()
    assert {"published", "denominators"}.isdisjoint(found)
    assert "as published" not in page


WRONG = {  # name: (the table asked for, part of the message)
    "no file": ({"file": "none.csv", "column": "Count", "rows": {}}, "none.csv: no such file; check audit.denominators"),
    "no column": ({"file": "verdicts.csv", "column": "n", "rows": {}}, "verdicts.csv: no column 'n'"),
    "no column to choose by": ({"file": "verdicts.csv", "column": "Count", "rows": {"level": "r1"}}, "verdicts.csv: no column 'level'"),
    "no row": ({"file": "verdicts.csv", "column": "Count", "rows": {"group": "two"}}, "no row has {'group': 'two'}"),
    "no number": ({"file": "verdicts.csv", "column": "verdict", "rows": {"group": "one"}}, "'CORRECT' in column verdict is no count"),
}


@pytest.mark.parametrize(("table", "message"), WRONG.values(), ids=WRONG)
def test_a_published_table_that_does_not_fit(bench: Bench, table: dict[str, Any], message: str) -> None:
    bench.denominators = {"r1": table}
    with pytest.raises(InputError, match=message):
        bench.run()
