"""Ask many questions of one endpoint: at once, patiently, within a budget, each paid for once."""

from collections.abc import Iterable, Iterator

from stages.teacher.budget import Cap
from stages.teacher.endpoint import Endpoint
from stages.teacher.request import Failure, Request, Response
from stages.teacher.store import Store

Asked = tuple[str, Request, int]  # name (a problem's id, a role, what the caller likes; need not be unique), request, sample index


def ask(
    calls: Iterable[Asked], endpoint: Endpoint, store: Store, cap: Cap, total: int | None = None, label: str = "calls"
) -> Iterator[tuple[str, Response | Failure]]:
    """Yield (name, answer) of each call as answers come, in any order; stored ones come from the store and are not sent.

    A response with finish_reason stop or eos is a Response; every other end is a Failure (request.Failure says which are stored). `total`
    is the number of calls, for the progress bar. Fault: no key, no price, the budget is used up, or the endpoint is down; what was
    answered until then has been yielded and is stored.
    """
    raise NotImplementedError
