"""One line under each plot, made from the plot's own numbers; "" where the study has none to plot."""

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from distill.core.cells import BASE, Cell
from distill.records.problem import OWN
from distill.report.report_inputs import LongRun, Training

ON_COMMON = "On the problems that an arm and the base have in common"
UNJUDGED = ("no_answer", "truncated", "ungradable")


class Estimate(msgspec.Struct, frozen=True):
    """An arm's accuracy with its interval: part of a row."""

    arm: str
    accuracy: float
    low: float
    high: float
    gain: str  # over the base on the problems that both have; an empty text of the base, and where these are too few


class Accuracy(Estimate, frozen=True):
    """A row of accuracy.csv; seed "mean" is the row over all seeds."""

    seed: str
    benchmark: str
    split: str


class Section(Estimate, frozen=True):
    """A row of sections.csv."""

    section: str


class Year(Estimate, frozen=True):
    """A row of years.csv."""

    year: int


class Words(msgspec.Struct, frozen=True):
    """A row of words.csv."""

    arm: str
    seed: str
    words: float
    accuracy: float


class Outcome(msgspec.Struct, frozen=True):
    """A row of outcomes.csv."""

    arm: str
    seed: str
    benchmark: str
    outcome: str
    count: int


class Loss(msgspec.Struct, frozen=True):
    """A row of overfit.csv or curves.csv; a loss that is not there is an empty text."""

    iteration: int
    train_loss: str
    validation_loss: str
    train_loss_smoothed: str = ""  # curves.csv of a study that smooths


class Choice(msgspec.Struct, frozen=True):
    """A row of multiverse.csv."""

    claim: str
    effect: str  # an empty text where the claim has none; low and high where it has no interval
    low: str
    high: str
    same: int
    changes: int


def percent(share: float) -> str:
    """Write a share as a percentage: 0.4976 -> 49.8 %."""
    return f"{100 * share:.1f} %"


def points(difference: float) -> str:
    """Write a difference of shares in percentage points: 0.031 -> +3.1."""
    return f"{100 * difference:+.1f}"


def accuracy(rows: list[Accuracy], arms: list[str]) -> str:
    """Name the best arm and the arms whose interval lies apart from the base's."""
    means = {row.arm: row for row in rows if (row.seed, row.benchmark, row.split) == ("mean", OWN, "heldout")}
    found = {arm: means[arm] for arm in (BASE, *arms) if arm in means}
    base = found.pop(BASE, None)
    if not found:
        return ""
    best = max(found.values(), key=lambda row: (row.accuracy, row.arm))
    if not base:
        least = min(found.values(), key=lambda row: (row.accuracy, row.arm))
        ends = [f"{row.arm}, {percent(row.accuracy)} {_ends(row)}" for row in (best, least)]
        return f"Highest of the arms: {ends[0]}; lowest: {ends[1]}."
    above = [row.arm for row in found.values() if row.low > base.high]
    below = [row.arm for row in found.values() if row.high < base.low]
    return (
        f"Highest of the arms: {best.arm}, {percent(best.accuracy)} {_ends(best)}; base: {percent(base.accuracy)} {_ends(base)}. "
        f"Intervals wholly above the base's: {_names(above)}; wholly below: {_names(below)}. "
        "Each interval is of one arm alone; the paired tests are under Claims."
    )


def words(rows: list[Words]) -> str:
    """Name the arms with the longest and the shortest answers."""
    length, right = _means((row.arm, row.words) for row in rows), _means((row.arm, row.accuracy) for row in rows)
    if len(length) < 2:
        return ""
    longest, shortest = max(length, key=lambda arm: length[arm]), min(length, key=lambda arm: length[arm])
    ends = [f"{arm}, {length[arm]:.1f} words at {percent(right[arm])}" for arm in (longest, shortest)]
    return f"Longest answers: {ends[0]}; shortest: {ends[1]}."


def benchmarks(rows: list[Accuracy]) -> str:
    """Say for each benchmark how many arms gain over the base, and which most."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        if row.seed == "mean" and row.gain and row.split == ("heldout" if row.benchmark == OWN else "all"):
            found[row.benchmark][row.arm] = float(row.gain)
    lines = []
    for name, gains in sorted(found.items(), key=lambda item: (item[0] != OWN, item[0])):
        best, higher = max(gains, key=lambda arm: gains[arm]), sum(value > 0 for value in gains.values())
        lines.append(f"{name}, {higher} of {len(gains)} arms are above the base, most {best} ({points(gains[best])} points)")
    return f"{ON_COMMON}: {'; '.join(lines)}." if lines else ""


def curves(trainings: dict[Cell, Training]) -> str:
    """Say at which iterations validation loss is lowest."""
    best = [training.best_iteration for training in trainings.values()]
    if not best:
        return ""
    ends = sum(training.best_iteration == training.iterations for training in trainings.values())
    where = f"at iteration {best[0]}" if len(set(best)) == 1 else f"between iterations {min(best)} and {max(best)}"
    return (
        f"The lowest validation loss is {where}; in {ends} of {len(best)} adapters it is the last evaluation. "
        "The adapter with the lowest validation loss is sampled."
    )


def overfit(run: LongRun) -> str:
    """Say where the long run is lowest and where it ends."""
    end = run.iterations
    if run.best_iteration == end:
        return f"Validation loss is lowest at the end, {run.best_loss:.3f} at iteration {end}: it does not turn within this run."
    rise = f", {100 * (run.last_loss / run.best_loss - 1):.1f} % higher" if run.best_loss else ""
    low = f"{run.best_loss:.3f} at iteration {run.best_iteration}"
    return f"Validation loss has its minimum, {low}; at the end, iteration {end}, it is {run.last_loss:.3f}{rise}."


def sections(rows: list[Section], arms: list[str]) -> str:
    """Say by section how far the full chain is from the base."""
    arm = _head(arms)
    gains = [f"{row.section} {points(float(row.gain))}" for row in rows if row.arm == arm and row.gain]
    return f"{ON_COMMON}, {arm} minus base, in points: {', '.join(gains)}." if gains else ""


def years(rows: list[Year], arms: list[str]) -> str:
    """Say in how many years the full chain is above the base, and the ends of the difference."""
    arm = _head(arms)
    gains = {row.year: float(row.gain) for row in rows if row.arm == arm and row.gain}
    if not gains:
        return ""
    least, most = min(gains, key=lambda year: gains[year]), max(gains, key=lambda year: gains[year])
    return (
        f"{ON_COMMON}, {arm} is above it in {sum(gain > 0 for gain in gains.values())} of {len(gains)} years; the gain runs from "
        f"{points(gains[least])} points ({least}) to {points(gains[most])} ({most})."
    )


def outcomes(rows: list[Outcome]) -> str:
    """Say how many answers were neither right nor wrong."""
    asked, unjudged = Counter[str](), Counter[str]()
    for row in rows:
        asked[row.arm] += row.count
        unjudged[row.arm] += row.count * (row.outcome in UNJUDGED)
    shares = {arm: unjudged[arm] / total for arm, total in asked.items()}
    if not shares:
        return ""
    least, most = min(shares, key=lambda arm: shares[arm]), max(shares, key=lambda arm: shares[arm])
    base = f"; base {percent(shares[BASE])}" if BASE in shares else ""
    return (
        "Answers that are neither correct nor wrong (none, truncated, ungradable; all count as not correct): from "
        f"{percent(shares[least])} ({least}) to {percent(shares[most])} ({most}){base}."
    )


def multiverse(rows: list[Choice]) -> str:
    """Name the claims whose verdict another choice changes, the least robust first."""
    found: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        found[row.claim] += [row.same] if row.effect else []
    several = {claim: same for claim, same in found.items() if len(same) > 1}
    if not several:
        return ""
    moved = sorted((sum(same) / len(same), claim) for claim, same in several.items() if not all(same))
    named = ", ".join(f"{claim} ({percent(share)} of its {len(several[claim])})" for share, claim in moved)
    return f"Claims without the ledger's verdict under all choices: {named or 'none'} of {len(several)} that choices apply to."


def _head(arms: list[str]) -> str:
    """Return the arm that the others are set against: the first that params.yaml names."""
    return arms[0]


def _means(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for name, value in pairs:
        found[name].append(value)
    return {name: sum(values) / len(values) for name, values in found.items()}


def _ends(row: Accuracy) -> str:
    return f"[{100 * row.low:.1f}, {100 * row.high:.1f}]"


def _names(arms: list[str]) -> str:
    return ", ".join(arms) if arms else "none"
