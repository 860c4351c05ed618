"""Requests, their keys, and responses read from their JSON."""

import json
from typing import Any

import msgspec
import pytest

from distill.llm import request
from distill.llm.budget import BudgetLimit, Cost, cost, max_cost, paid, prompt_bound
from distill.llm.endpoint_config import Price
from distill.llm.request import Empty, Malformed, Request, Sampling
from distill.records.example import Message
from tests.llm_client_helpers import endpoint

ASKED = Request("m", (Message("system", "s"), Message("user", "Compute 3 × 4.")), Sampling(0.6, 0.95, 1000, None, {"top_k": 40}))
SAMPLING = ASKED.sampling
PRICE = endpoint("").prices["m"]


def with_sampling(**changed: Any) -> Request:
    return msgspec.structs.replace(ASKED, sampling=msgspec.structs.replace(SAMPLING, **changed))


def test_a_key_is_the_same_in_every_version_of_the_program() -> None:
    assert request.key(ASKED, 0) == "fdecce31af90222d517449a76695a0e5f246ac42df066e8394bb0bdafd292a8c"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((msgspec.structs.replace(ASKED, model="n"), 0), id="model"),
        pytest.param((msgspec.structs.replace(ASKED, messages=ASKED.messages[1:]), 0), id="messages"),
        pytest.param((with_sampling(temperature=0.7), 0), id="temperature"),
        pytest.param((with_sampling(top_p=0.9), 0), id="top_p"),
        pytest.param((with_sampling(max_tokens=999), 0), id="max_tokens"),
        pytest.param((with_sampling(seed=0), 0), id="seed"),
        pytest.param((with_sampling(other={}), 0), id="other fields"),
        pytest.param((ASKED, 1), id="sample"),
    ],
)
def test_a_key_hangs_on_the_whole_request(other: tuple[Request, int]) -> None:
    assert request.key(*other) != request.key(ASKED, 0)


def test_the_order_of_further_fields_is_no_part_of_the_key() -> None:
    one, two = with_sampling(other={"a": 1, "b": {"c": 2, "d": 3}}), with_sampling(other={"b": {"d": 3, "c": 2}, "a": 1})
    assert request.key(one, 0) == request.key(two, 0)


def test_each_sample_has_a_seed_of_its_own() -> None:
    assert [request.body(with_sampling(seed=7), sample)["seed"] for sample in (0, 1)] == [7, 8]
    assert "seed" not in request.body(ASKED, 0)


def completion(message: dict[str, Any], finish: str | None = "stop") -> str:
    usage = {"prompt_tokens": 5, "completion_tokens": 9}
    return json.dumps({"model": "m-1", "choices": [{"message": message, "finish_reason": finish}], "usage": usage}, indent=1)


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        pytest.param({"content": " 12\n"}, "12", "", id="plain"),
        pytest.param({"content": "<think>\n3 × 4\n</think>\n\n12"}, "12", "3 × 4", id="think"),
        pytest.param({"content": "3 × 4\n</think>\n12"}, "12", "3 × 4", id="think that the template opened"),
        pytest.param({"content": "<think>\n3 ×"}, "", "3 ×", id="think cut off"),
        pytest.param({"content": "12", "reasoning": "3 × 4"}, "12", "3 × 4", id="reasoning"),
        pytest.param({"content": "12", "reasoning_content": "3 × 4"}, "12", "3 × 4", id="reasoning_content"),
        pytest.param({"content": None, "reasoning": "3 × 4"}, "", "3 × 4", id="no content"),
        pytest.param({"content": "<think>\n\n</think>12", "reasoning": "3 × 4"}, "12", "3 × 4", id="empty think beside a field"),
    ],
)
def test_text_and_reasoning_are_told_apart(message: dict[str, Any], text: str, reasoning: str) -> None:
    found = request.parse(completion(message))
    assert (found.text, found.reasoning, found.model, found.prompt_tokens, found.completion_tokens) == (text, reasoning, "m-1", 5, 9)
    assert "\n" not in found.raw
    assert json.loads(found.raw) == json.loads(completion(message))


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        pytest.param(completion({"content": "12"})[:40], Malformed, id="cut"),
        pytest.param("<html></html>", Malformed, id="a page"),
        pytest.param('{"error": {"message": "busy"}}', Malformed, id="an error with status 200"),
        pytest.param('{"choices": [{"message": {"content": 12}}]}', Malformed, id="a number for a text"),
        pytest.param('{"choices": [{"message": {"content": "12"}}], "usage": {"prompt_tokens": -9}}', Malformed, id="tokens below none"),
        pytest.param("[" * 100_000, Malformed, id="deep nesting"),
        pytest.param('{"choices": []}', Empty, id="no choice"),
        pytest.param(completion({"content": " \n"}), Empty, id="blank"),
        pytest.param(completion({"content": "<think> </think>"}), Empty, id="blank thought"),
    ],
)
def test_what_is_no_answer_is_named(raw: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        request.parse(raw)


def test_an_empty_response_tells_what_it_cost() -> None:
    with pytest.raises(Empty) as caught:
        request.parse(completion({"content": ""}))
    assert paid(PRICE, caught.value.usage) == Cost(14, (5 * 1 + 9 * 2) * 1000)


def test_the_worst_case_covers_any_vocabulary() -> None:
    assert prompt_bound(request.body(ASKED, 0)) > sum(len(turn.content.encode()) for turn in ASKED.messages)
    assert max_cost(PRICE, request.body(ASKED, 0)) == cost(PRICE, prompt_bound(request.body(ASKED, 0)), 1000)


@pytest.mark.parametrize(
    ("price", "batch", "nano"),
    [
        pytest.param(Price(3.0, 7.0, 0.5, PRICE.dated), False, 3000 + 14000, id="dollars per million"),
        pytest.param(Price(3.0, 7.0, 0.5, PRICE.dated), True, 8500, id="batch"),
        pytest.param(Price(0.0001, 0.0, 0.5, PRICE.dated), False, 1, id="rounded up"),
        pytest.param(Price(0.0, 0.0, 1.0, PRICE.dated), False, 0, id="free"),
    ],
)
def test_money_is_counted_in_nano_dollars(price: Price, batch: bool, nano: int) -> None:
    assert cost(price, 1, 2, batch) == Cost(3, nano)


@pytest.mark.parametrize(
    ("cap", "spent", "allowed"),
    [
        pytest.param(BudgetLimit(1.0, None), Cost(10**9, 10**9), True, id="all of it"),
        pytest.param(BudgetLimit(1.0, None), Cost(0, 10**9 + 1), False, id="a nano-dollar more"),
        pytest.param(BudgetLimit(None, 10), Cost(10, 10**12), True, id="tokens alone"),
        pytest.param(BudgetLimit(None, 10), Cost(11, 0), False, id="a token more"),
        pytest.param(BudgetLimit(0.0, None), Cost(5, 0), True, id="nothing, where it is free"),
    ],
)
def test_a_cap_is_in_dollars_and_in_tokens(cap: BudgetLimit, spent: Cost, allowed: bool) -> None:
    assert cap.allows(spent) is allowed
