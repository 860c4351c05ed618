"""Who is trained on, who is held out, and how little moves."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from distill.competition.competition_problems import transfer
from distill.core.errors import InputError
from distill.core.files import read_records, write_records
from distill.corpus import splits
from distill.extraction.duplicate_clusters import Bag, clusters, distinct, masked, tokens
from distill.records.assignment import Assignment
from distill.records.extracted_item import ExtractedItem
from stages import split
from tests import trees
from tests.tiny_model import SECTIONS, problem, study

PARAMS = msgspec.convert(SECTIONS["split"], splits.Params)

SAME = {  # name: (one statement, another, duplicates?)
    "case, space and prose punctuation": ("Find  x, please!", "find x please", True),
    "another number": ("Find 12 + 30.", "Find 12 + 31.", False),
    "another sign": ("Find x + 2.", "Find x - 2.", False),
    "another exponent": ("Find x^2.", "Find x2.", False),
    "a decimal point is no full stop": ("Take 3.5 of it", "Take 3 5 of it", False),
    "a typographic minus": ("Find 5 − 2.", "find 5 - 2", True),
    "a hyphen in a word": ("a two-digit number", "a two digit number", True),
    "order of words": ("Is A above B", "Is B above A", False),
}


@pytest.mark.parametrize(("one", "other", "same"), SAME.values(), ids=SAME)
def test_duplicates_are_equal_but_for_prose(one: str, other: str, same: bool) -> None:
    found = clusters({"a": one, "b": other}, 1.0)
    assert (found["b"] == "a") is same


def test_clusters_are_transitive_and_named_by_their_first() -> None:
    texts = {"1": "a b c d", "2": "a b c d e", "3": "a b c d e f", "4": "x y", "5": "", "6": ""}
    found = clusters(texts, 0.8)  # 4/5 and 5/6 join; 4/6 alone would not
    assert found == {"1": "1", "2": "1", "3": "1", "4": "4", "5": "5", "6": "6"}


def test_masked_numbers_join_what_only_differs_in_them() -> None:
    texts = {"a": "Find k if x² + 12 is 3.", "b": "Find k if x^2 + 7 is 40.", "c": "Find k and x if 12 is 3."}
    assert clusters(texts, 0.9, masked) == {"a": "a", "b": "a", "c": "c"}
    assert clusters(texts, 0.9) == {"a": "a", "b": "b", "c": "c"}


def pairwise(texts: dict[str, str], near: float, bag: Callable[[tuple[str, ...]], Bag]) -> set[frozenset[str]]:
    """Compare each text with each, as the definition says; return the clusters."""
    sets = {name: bag(tokens(text)) for name, text in texts.items() if tokens(text)}
    groups = {name: {name} for name in texts}
    for one, other in combinations(sets, 2):
        same = tokens(texts[one]) == tokens(texts[other])
        if same or (near < 1 and len(sets[one] & sets[other]) >= near * len(sets[one] | sets[other])):
            groups[one] |= groups[other]
            groups |= dict.fromkeys(groups[one], groups[one])
    return {frozenset(group) for group in groups.values()}


def drawn(seed: int) -> dict[str, str]:
    """Return short random texts, of which many are alike."""
    random = Random(seed)
    words = ["a", "b", "c", "d", "+", "1", "2", "x²", "30"][: random.choice([3, 6, 9])]
    return {f"{n:02}": " ".join(random.choice(words) for _ in range(random.randrange(9))) for n in range(60)}


LIKE_MINI = {f"{place:03}": item.statement for place, item in enumerate(transfer(5, 150))}


@pytest.mark.parametrize("bag", [distinct, masked])
@pytest.mark.parametrize("near", [0.3, 0.5, 0.6, 2 / 3, 0.75, 0.8, 0.9, 1.0])
def test_clusters_are_those_of_comparing_each_with_each(near: float, bag: Callable[[tuple[str, ...]], Bag]) -> None:
    for texts in (LIKE_MINI, *map(drawn, range(12))):
        found = clusters(texts, near, bag)
        groups = {frozenset(name for name in found if found[name] == first) for first in found.values()}
        assert groups == pairwise(texts, near, bag)
        assert all(first == min(group) for group in groups for first in {found[name] for name in group})


def test_sizes_clusters_and_the_asked() -> None:
    spoilt = [problem(40, problem(1).statement), problem(41, "", gold="8"), problem(42, gold="")]
    records = [*(problem(number) for number in range(1, 31)), *spoilt]
    found = splits.assign(records, PARAMS)
    sides = {each.id: each.split for each in found}
    assert [each.id for each in found] == sorted(sides)
    assert [list(sides.values()).count(side) for side in ("train", "valid", "heldout")] == [12, 6, 15]
    assert sides["competition-01"] == sides["competition-40"]
    assert sides["competition-41"] == sides["competition-42"] == "heldout"
    asked = {each.id for each in found if each.evaluate}
    assert asked.isdisjoint({"competition-41", "competition-42"})
    assert [sum(sides[name] == side for name in asked) for side in ("train", "valid", "heldout")] == [3, 0, 13]


def test_one_more_problem_moves_few() -> None:
    records = [problem(number) for number in range(1, 60)]
    before = {each.id: each.split for each in splits.assign(records, PARAMS)}
    for added in range(60, 70):
        after = {each.id: each.split for each in splits.assign([*records, problem(added)], PARAMS)}
        assert sum(after[name] != before[name] for name in before) <= 2


def test_the_order_of_the_file_and_another_seed() -> None:
    records = [problem(number) for number in range(1, 60)]
    found = splits.assign(records, PARAMS)
    assert splits.assign(records[::-1], PARAMS) == found
    assert splits.assign(records, msgspec.structs.replace(PARAMS, seed=2)) != found


def _run(folder: Path, numbers: Iterable[int], items: Sequence[ExtractedItem] = (), **changes: Any) -> list[Assignment]:
    paths = trees.below(folder)
    study(folder, **changes)
    write_records(paths.problems, [problem(number) for number in numbers])
    write_records(paths.extracted, items)
    split.main(paths)
    return read_records(paths.split, Assignment)


WRONG = {  # name: (changed parameters, numbers of the problems, part of the message)
    "too few for train": ({"train": 40}, range(1, 31), "leave train short of 10"),
    "too few held out": ({"heldout_least": 20}, range(1, 31), "12 problems are left to hold out, allowed are at least 20"),
    "more asked than held out": ({"asked": 13}, range(1, 31), "12 problems are left"),
    "more seen than trained on": ({"seen": 13}, range(1, 31), "seen is 13, and train holds 12"),
    "more validation problems asked than there are": ({"asked_valid": 7}, range(1, 31), "asked_valid is 7, and valid holds 6"),
    "a year without an exam": ({"years": [2015, 1999]}, range(1, 31), "years: no problem is of 1999"),
    "an id twice": ({}, [*range(1, 31), 30], "problem id competition-30 occurs more than once"),
}


@pytest.mark.parametrize(("change", "numbers", "message"), WRONG.values(), ids=WRONG)
def test_sizes_that_cannot_be_met(change: dict[str, Any], numbers: list[int], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        _run(tmp_path, numbers, split=change)
    assert not trees.below(tmp_path).split.exists()


def test_a_number_of_held_out_problems(tmp_path: Path) -> None:
    found = _run(tmp_path, range(1, 31), split={"asked": 7})
    assert sum(each.evaluate and each.split == "heldout" for each in found) == 7
    assert sum(each.split == "heldout" for each in found) == 12


def test_a_year_is_held_out_whole_with_the_duplicates_that_reach_into_it() -> None:
    records = [msgspec.structs.replace(problem(number), year=2011 + number % 5) for number in range(1, 51)]
    records.append(msgspec.structs.replace(problem(60, records[0].statement), year=2015))  # the text of competition-01, of 2012
    params = msgspec.structs.replace(PARAMS, years=[2015], train=25)
    sides = {each.id: each.split for each in splits.assign(records, params)}
    assert {sides[each.id] for each in records if each.year == 2015} == {"heldout"}
    assert sides["competition-01"] == "heldout"
    assert sum(side == "train" for side in sides.values()) == 25


def test_flagged_problems_are_neither_trained_on_nor_asked(tmp_path: Path) -> None:
    flags = {"competition-03": ["placeholder"], "competition-04": ["duplicate"], "competition-05": ["needs_figure", "placeholder"]}
    items = [ExtractedItem(name, "", 0, (0.0, 0.0, 0.0, 0.0), "", "", 0.0, [], None, name, 0, own) for name, own in flags.items()]
    found = {
        each.id: each for each in _run(tmp_path, range(1, 41), items, split={"exclude": ["placeholder"], "seen": 12, "asked_valid": 6})
    }
    assert [(found[name].split, found[name].evaluate) for name in ("competition-03", "competition-05")] == [("heldout", False)] * 2
    assert sum(each.evaluate for each in found.values()) == 38
