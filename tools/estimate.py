"""How many calls, tokens, dollars and hours a study's models need from here on, before the first call: nothing is sent, no key is needed.

python -m tools.estimate NAME
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import msgspec

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.llm import role_client
from distill.llm.role_client import RoleClient
from distill.records.problem import Problem
from distill.records.trace import Trace
from distill.teacher import distiller, solver, verifier
from tools.cost_model import Assumptions, RoleCost, table

ROLES: dict[str, type[Any]] = {"solve": solver.ModelSolver, "verify": verifier.ModelVerifier, "condense": distiller.ModelDistiller}
FILLER = "x"  # in place of text that no model has written yet


class Survey:
    """A walk over the problems that counts every call of a study's models, as far as the stored answers determine them."""

    def __init__(self, paths: Paths, assumed: Assumptions, clients: dict[str, RoleClient], params: dict[str, Any]) -> None:
        self._assumed, self._clients, self._params = assumed, clients, params
        self._all_levels = study_file.section(paths.study_file, "levels", list[str])
        self._prompts = {role: _MODULES[role].load_prompt(params[role]) for role in clients if role != "condense"}
        if "condense" in clients:
            self._prompts["condense"] = distiller.load_prompt(params["condense"], self._all_levels)
        self.costs = {role: RoleCost(role, client.model.model, client.endpoint, client.store) for role, client in clients.items()}
        if missing := sorted(clients.keys() - assumed.completion.keys()):
            where = f"{paths.study_file}: section 'estimate'"
            raise InputError(f"{where}: completion says nothing on '{missing[0]}'; a number of tokens for each role")
        if "condense" in clients:
            self.costs["condense"].steps = len(self._levels())

    def _levels(self) -> list[str]:
        return self._all_levels if self._params["condense"].r1 == "distilled" else self._all_levels[1:]

    def add(self, problem: Problem) -> None:
        """Count the calls that one problem needs."""
        traces = self._solve(problem) if "solve" in self._clients else []
        whole = [trace for trace in traces if trace.finish == "stop" and trace.answer]
        if "verify" in self._clients:
            self._verify(problem, whole)
        if "condense" in self._clients:
            self._condense(problem, whole)

    def _solve(self, problem: Problem) -> list[Trace]:
        """Count the solver's calls; return the traces that are stored."""
        params = self._params["solve"]
        request = solver.build_request(params, self._prompts["solve"], problem)
        found = ((sample, self.costs["solve"].add(request, sample)) for sample in range(params.samples))
        return [solver.trace(problem.id, params, response, sample) for sample, response in found if response]

    def _verify(self, problem: Problem, whole: list[Trace]) -> None:
        """Count the verifier's calls: of each answer that is stored, and of the gold answer in the place of each that is not."""
        params = self._params["verify"]
        share = 1.0 if params.asks == "all" else self._assumed.undecided
        for answer in dict.fromkeys([trace.answer for trace in whole] or [problem.gold]):
            request = verifier.build_request(params, self._prompts["verify"], problem.statement, problem.gold, answer)
            times = 1 if whole or "solve" not in self._params else self._params["solve"].samples
            self.costs["verify"].add(request, 0, share, times, 0 if whole else self._longest("solve"))

    def _longest(self, role: str) -> int:
        """Return the tokens of the longest text that a role can write; 0 where no model plays it."""
        return self._params[role].sampling.max_tokens if role in self._params else 0

    def _condense(self, problem: Problem, whole: list[Trace]) -> None:
        """Count the distiller's calls: from the stored trace down as far as levels are stored, and from there with the last text."""
        params, cost = self._params["condense"], self.costs["condense"]
        filler = FILLER * round(self._assumed.characters * self._assumed.completion["condense"])
        text, answer = (whole[0].text, whole[0].answer) if whole else (filler, problem.gold)
        draft = distiller.Draft(problem.id, problem.statement, problem.gold, answer, text)
        draft = draft if params.r1 == "distilled" else distiller.whole(draft)
        share = self._assumed.correct * (1 + (self._assumed.again if params.attempts > 1 else 0.0))
        unknown = 0 if whole else self._longest("solve")
        for level in self._levels():
            request = distiller.build_request(params, self._prompts["condense"], draft, level)
            shorter = ""
            for attempt in range(params.attempts):
                chance = share if not attempt else self._assumed.again
                response = cost.add(request, attempt, chance, params.attempts - attempt, unknown)
                if response is None:
                    unknown, shorter = max(unknown, self._longest("condense")), draft.text
                    break
                if shorter := distiller.passed(draft, response)[0]:
                    break
            if not shorter:  # no attempt passed: the problem's levels end here
                return
            draft = msgspec.structs.replace(draft, text=shorter)


_MODULES = {"solve": solver, "verify": verifier, "condense": distiller}


def lines(costs: list[RoleCost], assumed: Assumptions, client: RoleClient) -> Iterator[str]:
    """Yield the table and what it is computed from."""
    yield table(costs, assumed)
    yield ""
    for cost in costs:
        price = cost.endpoint.price(cost.model)
        basis = f"mean of {cost.known()} stored answers" if cost.known() else "assumed"
        prices = f"{price.prompt} dollars in and {price.completion} out a million tokens ({price.dated}), batch x {price.batch}"
        yield f"{cost.role}: {cost.written(assumed):,.0f} tokens out a call ({basis}); {cost.model}: {prices}"
    ledger, limit = client.store.ledger(), client.limit
    dollars = "none" if limit.dollars is None else f"{limit.dollars:,.2f} dollars"
    tokens = "none" if limit.tokens is None else f"{limit.tokens:,} tokens"
    yield f"so far: {ledger}, {ledger.total.tokens:,} tokens in all; limit: {dollars}, {tokens}"
    yield (
        "At most: prompts at one token a byte, answers at max_tokens, every retry of a level; what is lost to a bad network comes on top, "
        "within the limit."
    )


def main(paths: Paths) -> None:
    """Print the estimate of a study."""
    params = {}
    for role, kind in ROLES.items():
        if study_file.section(paths.study_file, role, dict[str, Any]).get("teacher") == "chat":
            params[role] = study_file.section(paths.study_file, role, kind)
    if not params:
        print(f"{paths.study_file}: no role of it asks a model: nothing to pay")
        return
    assumed = study_file.section(paths.study_file, "estimate", Assumptions)
    with ExitStack() as stack:
        opened = {role: role_client.opened(paths.study_file, paths.work, role, model) for role, model in params.items()}
        clients = {role: stack.enter_context(client) for role, client in opened.items()}
        survey = Survey(paths, assumed, clients, params)
        for problem in files.iterate_records(paths.problems, Problem):
            survey.add(problem)
        print("\n".join(lines(list(survey.costs.values()), assumed, next(iter(clients.values())))))


if __name__ == "__main__":
    command.run(main)
