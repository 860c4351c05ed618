"""Measure the flow of calls against a scripted server on loopback: `python -m bench.teacher [speed | faults | kill | budget | scale]...`

speed   5,000 calls without faults, 200 ms each, 32 at once, beside one call after another with a pause of 0.5 s, on a sample of 20;
        writes section `teacher` of the record
faults  500 problems, 200 ms, 30 % faults of all kinds: the corpus is that of a run without faults, nothing stored is sent again
kill    the same, killed with SIGKILL at 20 random moments and started again
budget  100 random runs under random caps: what the store says was spent never passes the cap, and reaches 90 % of it unless all is done
scale   94,000 calls: memory, and the time to the first new call of a run that finds almost all stored
"""

import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random

from together import Together

from bench.record import record
from distill.core.errors import InputError
from distill.llm.budget import BudgetLimit
from distill.llm.call_store import CallStore
from tests.chatscript import FAULTS, Script, body_key
from tests.chatserver import Event, Server, serving
from tests.llm_client_helpers import FREE, chat, corpus, endpoint, problem

ROOT = Path(__file__).parents[1]
FAULTY = Script(latency=0.2, rate=0.3, reasoning="think", hang=5.0)


def speed(folder: Path, count: int = 5000, latency: float = 0.2, sample: int = 20) -> None:
    """Print the wall time over the least that the latency allows, and over the sequential loop's."""
    with serving(Script(answers="echo", latency=latency), folder / "log") as server, CallStore(folder / "calls.sqlite") as store:
        place, calls = endpoint(server.url), ((str(n), problem(n), 0) for n in range(count))
        before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        assert sum(1 for _ in chat(calls, place, store, FREE)) == count
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        least = count * latency / place.concurrency
        client = Together(api_key="none", base_url=server.url)
        start = time.perf_counter()
        for n in range(sample):
            messages = [{"role": turn.role, "content": turn.content} for turn in problem(count + n).messages]
            client.chat.completions.create(model="m", messages=messages, temperature=0.6)  # type: ignore[arg-type]
            time.sleep(0.5)
        each = (time.perf_counter() - start) / sample
    print(f"{count} calls: {wall:.2f} s, {wall / least:.3f} x the least ({least:.2f} s), {1e3 * cpu / count:.2f} ms of CPU a call")
    print(f"one after another: {each:.3f} s a call ({sample} calls), {each * count / wall:.0f} x as long")
    ratios = {"vs_sequential": each * count / wall, "wall_over_least": wall / least, "processor_ms_a_call": 1e3 * cpu / count}
    record("teacher", ratios | {"calls": count, "latency_s": latency, "concurrency": place.concurrency}, packages=("together", "httpx"))


def faults(folder: Path, count: int = 500) -> None:
    """Print whether the corpora agree and how many stored requests were sent again."""
    found = []
    for name, script in (("well", Script(latency=0.2, reasoning="think")), ("faulty", FAULTY)):
        with serving(script, folder / f"{name}.log") as server, CallStore(folder / f"{name}.sqlite") as store:
            start = time.perf_counter()
            found.append(list(corpus(endpoint(server.url), store, FREE, count)))
            stored = next(iter(store.rows("SELECT count(*) AS n FROM calls")))["n"]
            print(f"{name}: {len(found[-1])} texts in {time.perf_counter() - start:.1f} s, {stored} responses stored, {_sent(server)}")
    print(f"same corpus: {found[0] == found[1]}")


def _sent(server: Server) -> str:
    events = server.events()
    met = Counter(each.fault for each in events if each.event == "asked" and each.fault)
    kinds = f"{met.total()} faults of {len(met)} kinds (of {len(FAULTS)})"
    return f"{sum(server.asked().values())} requests, {kinds}, {again(events)} sent again after their response was whole"


def again(events: Iterable[Event]) -> int:
    """Count the requests whose response had been handed over whole before: all but those without text are stored."""
    whole: set[str] = set()
    count = 0
    for each in events:
        count += each.event == "asked" and each.key in whole
        if each.event == "answered" and each.fault != "empty":
            whole.add(each.key)
    return count


def kill(folder: Path, count: int = 500, kills: int = 20, longest: float = 1.0, seed: int = 1) -> None:
    """Print, after each kill, what is stored; at the end whether the corpus and the number of calls are right."""
    draw, path, sent = Random(seed), folder / "killed.sqlite", 0
    with serving(FAULTY, folder / "killed.log") as server:
        job = {"url": server.url, "store": str(path), "count": count, "out": str(folder / "killed.jsonl")}
        for number in range(kills + 1):
            known, mark, hit = stored(path), server.size(), False
            with subprocess.Popen(
                [sys.executable, "-m", "tests.llm_client_helpers", json.dumps(job)], cwd=ROOT, stderr=subprocess.DEVNULL
            ) as running:
                if number < kills:
                    while server.size() == mark and running.poll() is None:
                        time.sleep(0.02)
                    time.sleep(draw.uniform(0.0, longest))
                    hit = running.poll() is None
                    running.kill()
            sent += (twice := sum(known[key] for key in server.asked(mark) if key in known))
            print(f"run {number + 1}, {'killed' if hit else 'whole'}: {len(known)} responses stored before it, {twice} of them asked again")
        keys = stored(path)
    with serving(Script(reasoning="think"), folder / "well.log") as server, CallStore(folder / "well.sqlite") as store:
        well = [list(row) for row in corpus(endpoint(server.url), store, FREE, count)]
    killed = [json.loads(line) for line in Path(job["out"]).read_text().splitlines()]
    print(
        f"same corpus: {killed == well}; {sum(keys.values())} responses of {len(keys)} requests; {sent} sent again after they were stored"
    )


def stored(path: Path) -> Counter[str]:
    """Count the stored responses by the server's key of their request."""
    if not path.exists():
        return Counter()
    with sqlite3.connect(path) as base:
        rows = base.execute("SELECT request FROM calls").fetchall()
    base.close()
    return Counter(body_key(json.loads(row[0])["request"]) for row in rows)


def budget(folder: Path, runs: int = 100, count: int = 300, seed: int = 1) -> None:
    """Print how many runs passed their cap, and the least share of a cap that was used where the work was not done."""
    passed, shares, done = 0, [], 0
    for run in range(runs):
        draw = Random(f"{seed} {run}")
        script = Script(latency=draw.choice([0.0, 0.02]), rate=draw.choice([0.0, 0.3]), reasoning="think", hang=0.2, seed=run)
        cap = draw.uniform(0.0085, 0.05)  # dollars: 10 to 60 times the worst case of a call, a fifth to all of what the work costs
        used = spend(folder / str(run), script, BudgetLimit(cap, None), count)
        passed += used[0] > cap
        done += used[1]
        shares += [] if used[1] else [used[0] / cap]
    least = f"{min(shares):.3f}" if shares else "none"
    print(f"{runs} runs: {passed} passed their cap; {done} finished their work; of the others the least share used: {least}")


def spend(folder: Path, script: Script, cap: BudgetLimit, count: int) -> tuple[float, bool]:
    """Run under a cap; return the dollars that the store says were spent, by its rows, and whether all was answered."""
    folder.mkdir()
    with serving(script, folder / "log") as server, CallStore(folder / "calls.sqlite") as store:
        try:
            done = len(list(corpus(endpoint(server.url, timeout=0.1), store, cap, count, max_tokens=300))) == count
        except InputError as fault:
            done = "the budget is used up" not in str(fault)
        query = "SELECT sum(nano) AS nano FROM (SELECT nano FROM calls UNION ALL SELECT nano FROM attempts)"
        return (next(iter(store.rows(query)))["nano"] or 0) / 1e9, done


def scale(folder: Path, count: int = 94_000) -> None:
    """Print memory along a run of many calls, and how soon the next run sends its first new call."""
    with serving(Script(), folder / "log") as server:
        with CallStore(folder / "calls.sqlite") as store:
            calls = ((str(n), problem(n), 0) for n in range(count))
            start = time.perf_counter()
            for number, _ in enumerate(chat(calls, endpoint(server.url), store, FREE), 1):
                if number % (count // 10) == 0:
                    print(f"{number} answers: {_rss():.0f} MB, {number / (time.perf_counter() - start):.0f} a second")
        mark, start = server.size(), time.perf_counter()
        with CallStore(folder / "calls.sqlite") as store:
            calls = ((str(n), problem(n), 0) for n in range(count + 1))
            answers = chat(calls, endpoint(server.url), store, FREE)
            next(answers)
            print(f"first answer after {time.perf_counter() - start:.2f} s")
            while server.size() == mark:
                time.sleep(0.01)
            print(f"first new call sent after {time.perf_counter() - start:.2f} s")
            number = 1 + sum(1 for _ in answers)
            print(f"all {number} answers after {time.perf_counter() - start:.2f} s; {_rss():.0f} MB at most")


def _rss() -> float:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


PARTS = {"speed": speed, "faults": faults, "kill": kill, "budget": budget, "scale": scale}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as scratch:
            print(f"{part}:", flush=True)
            PARTS[part](Path(scratch))
