"""A request to a model, its key in the call store, and the response read from its JSON."""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from distill.records.example import Message

_WHOLE = ("stop", "eos")  # finish reasons of a text that ends where the model ended it


class Sampling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model samples: part of every request, and so of its key."""

    temperature: Annotated[float, Meta(ge=0)]
    top_p: Annotated[float, Meta(gt=0, le=1)]
    max_tokens: Annotated[int, Meta(ge=1)]  # of the completion, reasoning included
    seed: Annotated[int, Meta(ge=0)] | None  # of sample 0, sample i takes seed + i; null = the server's choice
    other: dict[str, Any]  # further fields of the API, sent unchanged: top_k, reasoning_effort, response_format, ...


class Image(msgspec.Struct, frozen=True):
    """A picture that a model is shown: in the key and the store stands its name, and its bytes are read only where the call is sent."""

    name: str  # decides its pixels
    tokens: int  # prompt tokens that it counts at most
    url: Callable[[], str]  # returns its data: URL


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question to one model; the endpoint is no part of it."""

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling
    images: tuple[Image, ...] = ()  # after the text of the last turn


class Response(msgspec.Struct, frozen=True):
    """One whole answer."""

    text: str  # the final content, without the reasoning, stripped
    reasoning: str  # from <think>..</think> or a field of its own, stripped; "" where there is none
    finish: str  # stop | eos | length | what else the server says
    model: str  # as the server names it
    prompt_tokens: int | None  # by the server's count; None where it gives none
    completion_tokens: int | None  # reasoning included
    raw: str  # the whole chat.completion JSON; of a stream, its chunks put together

    @property
    def unusable(self) -> str:
        """Return why this is no whole text: length | blank | what else the server gives as finish reason; "" where it is one."""
        if self.finish not in _WHOLE:
            return self.finish or "unfinished"
        return "" if self.text else "blank"


class Failure(msgspec.Struct, frozen=True):
    """A call without a response; counted by its reason."""

    reason: str  # refused | empty | malformed | timeout | reset | status-500 | ...
    detail: str  # one line


Call = tuple[Request, int]  # a request and its sample index
Answer = Response | Failure


class Malformed(ValueError):
    """A response that is no chat completion."""


class Empty(ValueError):
    """A chat completion without a choice, or with nothing in it; `usage` is its prompt and completion tokens, None where not told."""

    def __init__(self, message: str, usage: tuple[int | None, int | None]) -> None:
        super().__init__(message)
        self.usage = usage


def body(request: Request, sample: int, send: bool = False) -> dict[str, Any]:
    """Return the JSON body of a request's i-th sample, 0-based: what is sent (streamed or in a batch alike) and what is hashed.

    To `send` it, images are put in; what is hashed names them.
    """
    own = {"temperature": request.sampling.temperature, "top_p": request.sampling.top_p, "max_tokens": request.sampling.max_tokens}
    seed = {} if request.sampling.seed is None else {"seed": request.sampling.seed + sample}
    messages: list[dict[str, Any]] = [{"role": message.role, "content": message.content} for message in request.messages]
    if request.images:
        urls = [image.url() if send else image.name for image in request.images]
        pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        messages[-1]["content"] = [{"type": "text", "text": messages[-1]["content"]}, *pictures]
    return {**request.sampling.other, **own, **seed, "model": request.model, "messages": messages}


def canonical(request: Request, sample: int) -> bytes:
    """Return the canonical JSON of a request and its sample index: keys sorted, no spaces."""
    return msgspec.json.encode({"request": body(request, sample), "sample": sample}, order="deterministic")


def key(request: Request, sample: int) -> str:
    """Return the key of a request's i-th sample: the sha256 of its canonical JSON."""
    return hashlib.sha256(canonical(request, sample)).hexdigest()


def parse(raw: str | bytes) -> Response:
    """Read a chat.completion JSON; Malformed where it is none, Empty where it has no text and no reasoning."""
    try:
        document = msgspec.json.decode(raw, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"no chat completion: {error}") from None
    usage = document.usage or _Usage()
    counts = (usage.prompt_tokens, usage.completion_tokens)
    if not document.choices:
        raise Empty("a chat completion without a choice", counts)
    choice = document.choices[0]
    text, reasoning = split(choice.message.content or "", choice.message.reasoning or choice.message.reasoning_content or "")
    if not text and not reasoning:
        raise Empty(f"a choice without text, finish_reason {choice.finish_reason}", counts)
    whole = msgspec.json.format(raw, indent=-1)  # one line, nothing else changed
    whole = whole if isinstance(whole, str) else whole.decode()
    return Response(text, reasoning, choice.finish_reason or "", document.model or "", *counts, whole)


def split(content: str, reasoning: str = "") -> tuple[str, str]:
    """Split a content into final text and reasoning; `reasoning` is what came in a field of its own.

    >>> split("<think>5+7</think> 12"), split("5+7</think>12"), split("<think>5+"), split("12", "5+7")
    (('12', '5+7'), ('12', '5+7'), ('', '5+'), ('12', '5+7'))
    """
    before, close, after = content.partition("</think>")
    if close:  # some servers leave out the opening mark, since their template ends in it
        thought, text = before.strip().removeprefix("<think>"), after
    elif content.lstrip().startswith("<think>"):  # cut off while thinking
        thought, text = content.lstrip().removeprefix("<think>"), ""
    else:
        thought, text = "", content
    return text.strip(), "\n".join(part for part in (reasoning.strip(), thought.strip()) if part)


class _Message(msgspec.Struct):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None
    completion_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None


class _Document(msgspec.Struct):
    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None
