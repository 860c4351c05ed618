"""How good are the rules of stage `contamination`? Precision and recall on labelled pairs, and what they find in s1K.

    JOB_MIRROR=FOLDER python -m bench.contamination

The pairs are those of contamination-audit (MIT), of MATH-500 and training problems: 256 that it judged to overlap, 144 by shared 8-grams
and 112 by a model; 100 problems of MATH-500 on its clean list, here each with every training problem of the pairs, but for judged pairs; a
person's verdicts. Its 'overlap' is wider than 'the same problem': bench/contamination_same.csv has the pairs of the 256 that we read as the
same, in other words or with another last step. Settings are chosen on one half of MATH-500's problems and reported on the other. s1K's
1,000 questions hold 11 of the 90 AIME problems of 2022 to 2024 and 4 of MATH-500, one of them with another last step.
Writes metrics/contamination.json and the tables of docs/contamination.md.
"""

import csv
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from distill.core.errors import InputError
from distill.core.files import write_json, write_text
from distill.core.markdown import grid
from distill.corpus.contamination import Contains, Exact, Near, Ngram, Rule, Text, matches
from distill.records.problem import Problem

ROOT = Path(__file__).parents[1]
SAME = Path(__file__).with_name("contamination_same.csv")
PAGE, RECORD = ROOT / "docs" / "contamination.md", ROOT / "metrics" / "contamination.json"
START, END = "<!-- rules -->", "<!-- /rules -->"
Pair = tuple[str, str]  # ids of a problem of MATH-500 and of a training problem

STRAY = 10  # of s1K's other problems, one in a hundred, may be found by a setting that is chosen
IN_S1K = 15  # problems of AIME and MATH-500 that s1K holds

TRIED: dict[str, list[Rule]] = {
    "exact": [Exact(drop=True)],
    "contains": [Contains(tokens=size, drop=True) for size in (8, 4, 12)],
    "ngram": [Ngram(n=8, share=share, drop=True) for share in (0.001, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)],
    "near": [Near(shingle=k, similarity=s / 20, drop=True) for k in (1, 2, 3) for s in range(4, 20)],
}


class Labelled(NamedTuple):
    """Pairs by label, and the texts."""

    items: dict[str, str]  # MATH-500, by id
    texts: dict[str, str]  # training problems, by id
    kinds: dict[str, set[Pair]]


def main() -> None:
    """Score every setting, choose one a rule, write the record and the page."""
    mirror = Path(os.environ.get("JOB_MIRROR", "-"))
    found, s1k = read(mirror), read_s1k(mirror)
    tried = {kind: [scores(found, s1k, [rule]) | {"rule": described(rule)} for rule in rules] for kind, rules in TRIED.items()}
    chosen = {kind: TRIED[kind][best(rows)] for kind, rows in tried.items()}
    rows = {kind: scores(found, s1k, [rule]) | {"rule": described(rule)} for kind, rule in chosen.items()}
    rows["any"] = scores(found, s1k, list(chosen.values())) | {"rule": {"kind": "any"}}
    sizes = {side: {kind: len(half(pairs, side)) for kind, pairs in found.kinds.items()} for side in ("tune", "test")}
    write_json(RECORD, {"pairs": sizes, "chosen": rows, "tried": tried})
    write_text(PAGE, filled(PAGE.read_text(encoding="utf-8"), tables(json.loads(RECORD.read_bytes()))))
    print(f"wrote {RECORD} and {PAGE}", file=sys.stderr)


def read(mirror: Path) -> Labelled:
    """Return the labelled pairs of the mirror."""
    files = sorted(mirror.glob("ademcodesproducts/contamination-audit/*/data/processed/*.jsonl"))
    if not files:
        raise InputError(f"{mirror}: no labelled pairs of ademcodesproducts/contamination-audit; set JOB_MIRROR to a folder that has them")
    found = Labelled({}, {}, {kind: set() for kind in ("lexical", "semantic", "clean", "same", "person_yes", "person_no")})
    clean = []
    for path in files:
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            name = row["math500_id"]
            if path.stem == "clean_baseline":
                clean.append(name)
                found.items[name] = row["problem"]
                continue
            found.items[name], found.texts[row["train_id"]] = row["math500_problem"], row["train_problem"]
            found.kinds["lexical" if row["contamination_type"] == "c_lex" else "semantic"].add((name, row["train_id"]))
    judged = found.kinds["lexical"] | found.kinds["semantic"]  # some problems of the clean list are in pairs that share 8-grams
    found.kinds["clean"] |= {(name, text) for name in clean for text in found.texts} - judged
    found.kinds["same"] |= {(row["math500_id"], row["train_id"]) for row in csv.DictReader(SAME.read_text().splitlines())}
    if strange := found.kinds["same"] - judged:
        raise InputError(f"{SAME}: {min(strange)} is none of the labelled pairs")
    said = dict(verdicts(next(mirror.glob("ademcodesproducts/contamination-audit/*/*/results/csem_annotation.csv"))))
    for pair in found.kinds["semantic"]:
        verdict = said.get((found.items[pair[0]], found.texts[pair[1]]), "")
        if verdict in ("Y", "N"):
            found.kinds["person_yes" if verdict == "Y" else "person_no"].add(pair)
    return found


def read_s1k(mirror: Path) -> tuple[list[Problem], list[Text]]:
    """Return the problems of AIME 2022 to 2024 and MATH-500, and s1K's questions."""
    (aime,), (math,) = list(mirror.rglob("aime_22_23_24.jsonl")), list(mirror.rglob("math500_test.json"))
    rows = [("aime", json.loads(line)["problem"]) for line in aime.read_text(encoding="utf-8").splitlines()]
    rows += [("math500", row["problem"]) for row in json.loads(math.read_text(encoding="utf-8"))]
    path = mirror.parent / "data" / "openr1-like" / "problem_solution.jsonl"  # s1K's rows are the first
    questions = [json.loads(line)["problem"] for line in path.read_text(encoding="utf-8").splitlines()[:1000]]
    return problems(rows), [Text(str(number), "statement", text) for number, text in enumerate(questions)]


def problems(rows: Iterable[tuple[str, str]]) -> list[Problem]:
    """Return benchmark problems by number."""
    return [Problem(str(number), name, "", 0, "", text, "", "", 0, "table") for number, (name, text) in enumerate(rows)]


def verdicts(path: Path) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield a person's verdict on each pair of texts."""
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield (row["math500_problem"], row["train_problem"]), row["human_verdict"]


def scores(found: Labelled, s1k: tuple[list[Problem], list[Text]], rules: Sequence[Rule]) -> dict[str, Any]:
    """Return what any of the rules finds: in each half of the labelled pairs, and in s1K."""
    ids = sorted(found.items)
    items = problems(("math500", found.items[name]) for name in ids)
    texts = (Text(name, "statement", text) for name, text in sorted(found.texts.items()))
    matched = {(ids[int(each.item)], each.id) for each in matches(texts, items, rules)}
    inside = list(matches(s1k[1], s1k[0], rules))
    counts = {name: len({each.item for each in inside if each.benchmark == name}) for name in ("aime", "math500")}
    return {side: figures(found, matched, side) for side in ("tune", "test")} | {
        "s1k": counts | {"problems": len({each.id for each in inside})}
    }


def half(pairs: set[Pair], side: str) -> set[Pair]:
    """Return the pairs of one half of MATH-500's problems."""
    return {pair for pair in pairs if hashlib.blake2b(pair[0].encode()).digest()[0] % 2 == (side == "test")}


def figures(found: Labelled, matched: set[Pair], side: str) -> dict[str, Any]:
    """Count what was found by label; precision and recall of the same problems, and of those judged to overlap."""
    kinds = {kind: half(pairs, side) for kind, pairs in found.kinds.items()}
    counts = {kind: len(pairs & matched) for kind, pairs in kinds.items()}
    judged = kinds["lexical"] | kinds["semantic"]
    hits = len(matched & (judged | kinds["clean"]))
    rows = {"same": counts["same"], "judged": len(judged & matched)}
    sizes = {"same": len(kinds["same"]), "judged": len(judged)}
    shares = {f"precision_{name}": rows[name] / hits if hits else None for name in rows}
    return counts | shares | {f"recall_{name}": rows[name] / sizes[name] for name in rows}


def best(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return the setting of the highest recall of the same problems, then precision, on the half to choose by; of equal ones the first.

    One that finds a clean pair of that half, or too many of s1K's other problems, is not chosen.
    """

    def worth(place: int) -> tuple[bool, float, float, int]:
        row = rows[place]["tune"]
        strict = row["clean"] == 0 and rows[place]["s1k"]["problems"] <= IN_S1K + STRAY
        return strict, row["recall_same"], row["precision_same"] or 0.0, -place

    return max(range(len(rows)), key=worth)


def described(rule: Rule) -> dict[str, Any]:
    """Return a rule as a study file has it."""
    return {"kind": str(rule.__struct_config__.tag)} | {key: getattr(rule, key) for key in rule.__struct_fields__ if key != "drop"}


def tables(record: Mapping[str, Any]) -> str:
    """Return the tables of the page: the labelled pairs by label, and s1K."""
    sizes, rows = record["pairs"]["test"], record["chosen"].values()
    kinds = {"same": "the same problem", "lexical": "judged by 8-grams", "semantic": "judged by a model", "person_yes": "a person: yes",
             "person_no": "a person: no", "clean": "clean"}  # fmt: skip
    shares = {"precision_same": "precision", "recall_same": "recall", "recall_judged": "recall of all judged"}
    head = ["rule", *(f"{name}, of {sizes[kind]:,}" for kind, name in kinds.items()), *shares.values()]
    head.append(f"the same, both halves, of {sizes['same'] + record['pairs']['tune']['same']}")
    both = [row["tune"]["same"] + row["test"]["same"] for row in rows]
    pairs = [
        [setting(row["rule"]), *(row["test"][kind] for kind in kinds), *(percent(row["test"][key]) for key in shares), count]
        for row, count in zip(rows, both, strict=True)
    ]
    found = [[setting(row["rule"]), *(row["s1k"][key] for key in ("aime", "math500", "problems"))] for row in rows]
    beside = ["rule", "AIME, 11 are there", "MATH-500, 4 are there", "problems of s1K that match, of 1,000"]
    return f"{grid(head, pairs)}\n\n{grid(beside, found)}"


def percent(value: float | None) -> str:
    """Write a share; nothing where there is none."""
    return "" if value is None else f"{100 * value:.0f} %"


def setting(rule: Mapping[str, Any]) -> str:
    """Write a rule on one line."""
    return ", ".join([rule["kind"], *(f"{key} {value:g}" for key, value in rule.items() if key != "kind")])


def filled(text: str, figures: str) -> str:
    """Return the page with its tables between the markers."""
    before, _, rest = text.partition(START)
    if not rest or END not in rest:
        raise InputError(f"{PAGE}: expected {START} and after it {END}; put them back")
    return f"{before}{START}\n{figures}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    main()
