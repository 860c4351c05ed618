"""Throw hostile answers at the grader and its pool of processes: `python -m bench.fuzz [COUNT [SEED]]`, 100,000 strings by default.

Each string goes through final_answer, by every profile, and `compare` as a study's grading uses them: as the answer to an ordinary gold, or
as the gold of an ordinary answer. It is read as a line of JSON too: as it is, as a text in a good line, and cut off in one. Printed:
outcomes, the longest extractions and comparisons in this process and in the workers, workers killed at a limit, memory over the run, and
what an audit hook (sys.addaudithook) saw of files, network and processes while one was under way. It takes half an hour.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.adversarial_answers import by_hypothesis, glued, long_lines, mutated
from distill.answers import verify_pool
from distill.answers.final_answer import PROFILES, final_answer
from distill.answers.grade_pairs import read_pair
from distill.core.errors import InputError

LIMIT, MEMORY, WORKERS, MAX_CHARS = 2.0, 1024, 2, 2000  # processor seconds and MiB of a comparison
ENDINGS = (  # what a string is put into, in turn: as a box, on the answer line, and as prose
    "so \\boxed{%s}", "so\nAnswer: %s", "so\nAnswer: %s", "so\n#### %s", "So the answer is %s.", "6 * 7 = 42\n**%s**", "A: %s\nQ: 6 * 7?",
    "<think>%s</think>\nTherefore, x = %s.", "%s", "We get:\n\\[ %s \\]", '{"answer": "%s"}',
)  # fmt: skip
CHUNK = 5_000  # strings between two looks at memory
GOLDS = (
    "12", "3/4", r"\left(-\infty, 2\right]", "x^2 - 1", "Thursday", "{1, 2}", "52_8", "0.75 (must be this decimal)", "3\\sqrt{2}", "45 mph",
)  # fmt: skip
WATCHED = ("open", "socket.", "subprocess.", "os.", "shutil.", "tempfile.", "urllib.", "ctypes.", "pty.", "fcntl.", "mmap.", "winreg.")
HARMLESS = ("os.listdir", "os.scandir", "os.fwalk", "os.walk", "os.putenv", "os.unsetenv")  # listing a package's folder is an import's
CODE = (".py", ".pyc")  # what an import reads


class Watch:
    """What one process did while it compared, told to an audit hook; a line of JSON a comparison, in a file opened beforehand."""

    def __init__(self, log: Path) -> None:
        self.busy = False
        self.seen: list[str] = []
        self.file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        sys.addaudithook(self.hook)

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.busy and event.startswith(WATCHED) and event not in HARMLESS and not _reads_code(event, args):
            self.seen.append(f"{event} {str(args[0])[:80] if args else ''}")

    def around(self, judge: Any, gold: str, answer: str) -> Any:
        """Call a judge of a pair, or a reader of a text, and write down what it took and touched."""
        start = time.process_time()
        self.seen, self.busy = [], True
        try:
            return judge(gold, answer)
        finally:
            self.busy = False
            line = {"seconds": time.process_time() - start, "seen": self.seen, "pair": [gold[:60], answer[:60]]}
            os.write(self.file, json.dumps(line | {"memory": _memory()}).encode() + b"\n")


def _reads_code(event: str, args: tuple[Any, ...]) -> bool:
    return event == "open" and str(args[0]).endswith(CODE) and args[1] in ("r", "rb", None)


def _memory() -> int:
    """Return the resident memory of this process in KiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


@cache
def _watch(log: str) -> Watch:
    return Watch(Path(log))


def watched(log: str, pair: verify_pool.Pair) -> bool | None:
    """Compare in a worker of the pool, watched."""
    verdict: bool | None = _watch(log).around(lambda *pair: MATH_VERIFY(pair), *pair)
    return verdict


MATH_VERIFY = verify_pool.math_verify_equal  # the pool's own, before `watched` takes its place


class Found(NamedTuple):
    """What a run showed."""

    outcomes: Counter[str]
    found: Counter[str]  # by profile: strings with a final answer; lines of JSON read and refused
    extraction: list[dict[str, Any]]  # a line a string in this process
    parent: list[dict[str, Any]]  # a line a comparison in this process
    workers: list[dict[str, Any]]  # a line a comparison by math-verify that came to its end
    asked: int  # of math-verify
    memory: list[int]  # KiB of this process, after each chunk
    equal: list[verify_pool.Pair]  # what was called equal


def run(texts: Iterator[str], log: Path) -> Found:
    """Compare every text, a chunk at a time, in the real pool."""
    watch, outcomes, memory, asked, equal = Watch(log / "parent"), Counter[str](), [], 0, []
    extracting, found = Watch(log / "extraction"), Counter[str]()
    decide, symbolic = verify_pool.decide, verify_pool.symbolic
    verify_pool.math_verify_equal = partial(watched, str(log / "workers"))  # type: ignore[assignment]

    def counted(pairs: list[verify_pool.Pair], *limits: Any) -> Any:
        nonlocal asked
        asked += len(pairs)
        return symbolic(pairs, *limits)

    verify_pool.decide, verify_pool.symbolic = partial(watch.around, decide), counted  # type: ignore[assignment]
    try:
        for chunk in _chunks(texts):
            for number, text in enumerate(chunk):
                found += extracting.around(extracted, text, str(number))
            pairs = {pair for number, text in enumerate(chunk) if (pair := _pair(text, number))}
            verdicts = verify_pool.compare(pairs, LIMIT, MEMORY, WORKERS)
            outcomes += Counter(map(str, verdicts.values()))
            equal += [pair for pair, verdict in verdicts.items() if verdict]
            outcomes["blank or too long"] += len(chunk) - len(pairs)
            memory.append(_memory())
    finally:
        verify_pool.decide, verify_pool.symbolic, verify_pool.math_verify_equal = decide, symbolic, MATH_VERIFY
        os.close(watch.file)
        os.close(extracting.file)
    return Found(outcomes, found, _lines(log / "extraction"), _lines(log / "parent"), _lines(log / "workers"), asked, memory, equal)


def _chunks(texts: Iterator[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _pair(text: str, number: int) -> verify_pool.Pair | None:
    """Return a text as the answer in a completion to an ordinary gold, every fourth as the gold of an ordinary answer."""
    other = GOLDS[number % len(GOLDS)]
    if number % 4 == 3:
        return (text, other) if text.strip() and len(text) <= MAX_CHARS else None
    completion = ENDINGS[number % len(ENDINGS)].replace("%s", text)
    answer = final_answer(completion, "Answer:", "stop", "lenient" if number % 2 else "strict") or text.strip()
    return (other, answer) if 0 < len(answer) <= MAX_CHARS else None


def extracted(text: str, number: str) -> Counter[str]:
    """Look for the final answer of a string in every ending by every profile, and read it as lines of JSON."""
    counts = Counter[str]()
    for ending, profile, finish in product(ENDINGS, PROFILES, ("stop", "length")):
        counts[f"{profile}: answers"] += bool(final_answer(ending.replace("%s", text), "Answer:", finish, profile))
    good = msgspec.json.encode({"id": number, "gold": text or "1", "completion": text})
    for line in (good, text.encode(), good[: len(good) // 2], b'{"id": 1, "gold": ' + text.encode() + b', "answer": "1"}'):
        try:
            read_pair(line, "fuzz:1")
            counts["lines read"] += 1
        except InputError as error:
            counts["lines refused" if "\n" not in str(error) else "refused in several lines"] += 1
    return counts


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main(count: int, seed: int) -> None:
    print("longest lines:", flush=True)
    for name, seconds in long_lines():
        print(f"{seconds:8.3f} s  {name}")
    with tempfile.TemporaryDirectory() as folder:
        found = run(texts(count, seed), Path(folder))
    total = sum(found.outcomes.values())
    print(f"{total} strings: " + ", ".join(f"{name} {n} ({n / total:.2%})" for name, n in found.outcomes.most_common()))
    print(
        ", ".join(f"{name} {n}" for name, n in sorted(found.found.items())), f"of {total} strings in {len(ENDINGS)} endings, cut off or not"
    )
    for name, lines in (("extraction and reading", found.extraction), ("this process", found.parent), ("math-verify", found.workers)):
        touched = Counter(event for line in lines for event in line["seen"])
        print(f"{name}: {len(lines)} ended")
        print(f"    files, network and processes touched: {sum(touched.values())} {touched.most_common(3) or ''}")
        print(f"    memory of the first and the last tenth: {[_median(lines, part) // 1024 for part in (0, 9)]} MiB; the longest:")
        for line in sorted(lines, key=lambda line: -line["seconds"])[:5]:
            print(f"{line['seconds']:8.3f} s  {line['pair']}")
    print(f"math-verify: {found.asked} asked, {found.asked - len(found.workers)} killed at their limit ({LIMIT} s, {MEMORY} MiB)")
    print(f"memory of this process after each {CHUNK}, MiB: {[size // 1024 for size in found.memory]}")
    print("called equal:", *found.equal, sep="\n    ")


def texts(count: int, seed: int) -> Iterator[str]:
    """Return glued, mutated and hypothesis' strings in turn."""
    thirds = count - 2 * (count // 3), count // 3, count // 3
    for source, share in zip((glued, mutated, by_hypothesis), thirds, strict=True):
        yield from source(share, seed)


def _median(lines: list[dict[str, Any]], tenth: int) -> int:
    part = lines[len(lines) * tenth // 10 : len(lines) * (tenth + 1) // 10]
    return sorted(line["memory"] for line in part)[len(part) // 2] if part else 0


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
