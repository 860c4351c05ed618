"""How many calls, tokens, dollars and hours a study's models need from here on, before the first call: nothing is sent, no key is needed.

python -m tools.estimate studies/NAME.yaml data/NAME/problems.jsonl
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.llm import role_client
from distill.llm.cost_model import Assumptions, Part, table
from distill.llm.role_client import Desk
from distill.records.level import LEVELS
from distill.records.problem import Problem
from distill.records.trace import Trace
from distill.teacher import distiller, solver, verifier

ROLES: dict[str, type[Any]] = {"solve": solver.Chat, "verify": verifier.Chat, "condense": distiller.Chat}
STAND_IN = "x"  # for text that no model has written yet


class Survey:
    """A walk over the problems that meets every call of a study's models, as far as what is stored tells them."""

    def __init__(self, study: str, assumed: Assumptions, desks: dict[str, Desk], params: dict[str, Any]) -> None:
        self._assumed, self._desks, self._params = assumed, desks, params
        self._told = {role: _MODULES[role].prompt(params[role]) for role in desks}
        self.parts = {role: Part(role, each.model.model, each.endpoints[each.model.endpoint]) for role, each in desks.items()}
        if missing := sorted(desks.keys() - assumed.completion.keys()):
            raise InputError(f"{study}: section 'estimate': completion says nothing on '{missing[0]}'; a number of tokens for each role")
        if "condense" in desks:
            self.parts["condense"].steps = len(self._levels())

    def _levels(self) -> tuple[str, ...]:
        return LEVELS if self._params["condense"].r1 == "distilled" else LEVELS[1:]

    def meet(self, problem: Problem) -> None:
        """Count the calls that one problem needs."""
        traces = self._solve(problem) if "solve" in self._desks else []
        whole = [trace for trace in traces if trace.finish == "stop" and trace.answer]
        if "verify" in self._desks:
            self._verify(problem, whole)
        if "condense" in self._desks:
            self._condense(problem, whole)

    def _solve(self, problem: Problem) -> list[Trace]:
        """Count the solver's calls; return the traces that are stored."""
        own, params = self._desks["solve"], self._params["solve"]
        asked = solver.asked(own, self._told["solve"], problem)
        found = ((sample, self.parts["solve"].meet(own.store, asked, sample)) for sample in range(params.samples))
        return [solver.trace(problem.id, params, response, sample) for sample, response in found if response]

    def _verify(self, problem: Problem, whole: list[Trace]) -> None:
        """Count the verifier's calls: of each answer that is stored, and of the gold answer in the place of each that is not."""
        own, params = self._desks["verify"], self._params["verify"]
        share = 1.0 if params.asks == "all" else self._assumed.undecided
        for answer in dict.fromkeys([trace.answer for trace in whole] or [problem.gold]):
            asked = verifier.asked(own, self._told["verify"], problem.statement, problem.gold, answer)
            times = 1 if whole or "solve" not in self._params else self._params["solve"].samples
            self.parts["verify"].meet(own.store, asked, 0, share, times, 0 if whole else self._longest("solve"))

    def _longest(self, role: str) -> int:
        """Return the tokens of the longest text that a role can write; 0 where it is no model's."""
        return self._params[role].sampling.max_tokens if role in self._params else 0

    def _condense(self, problem: Problem, whole: list[Trace]) -> None:
        """Count the distiller's calls: from the stored trace down as far as levels are stored, and from there with the last text."""
        own, params, part = self._desks["condense"], self._params["condense"], self.parts["condense"]
        filler = STAND_IN * round(self._assumed.characters * self._assumed.completion["condense"])
        text, answer = (whole[0].text, whole[0].answer) if whole else (filler, problem.gold)
        draft = distiller.Draft(problem.id, problem.statement, problem.gold, answer, text)
        draft = draft if params.r1 == "distilled" else distiller.whole(draft)
        share = self._assumed.correct * (1 + (self._assumed.again if params.attempts > 1 else 0.0))
        unknown = 0 if whole else self._longest("solve")
        for level in self._levels():
            asked = distiller.asked(own, self._told["condense"], draft, level)
            shorter = ""
            for attempt in range(params.attempts):
                chance = share if not attempt else self._assumed.again
                response = part.meet(own.store, asked, attempt, chance, params.attempts - attempt, unknown)
                if response is None:
                    unknown, shorter = max(unknown, self._longest("condense")), draft.text
                    break
                if shorter := distiller.passed(draft, response)[0]:
                    break
            if not shorter:  # no attempt passed: the problem's levels end here
                return
            draft = msgspec.structs.replace(draft, text=shorter)


_MODULES = {"solve": solver, "verify": verifier, "condense": distiller}


def lines(parts: list[Part], assumed: Assumptions, own: Desk) -> Iterator[str]:
    """Yield the table and what it rests on."""
    yield table(parts, assumed)
    yield ""
    for part in parts:
        price = part.endpoint.price(part.model)
        basis = f"mean of {part.known()} stored answers" if part.known() else "assumed"
        costs = f"{price.prompt} dollars in and {price.completion} out a million tokens ({price.dated}), batch x {price.batch}"
        yield f"{part.role}: {part.written(assumed):,.0f} tokens out a call ({basis}); {part.model}: {costs}"
    spent = own.store.spent()
    cap = "none" if own.cap.dollars is None else f"{own.cap.dollars:,.2f} dollars"
    tokens = "none" if own.cap.tokens is None else f"{own.cap.tokens:,} tokens"
    yield f"spent so far: {spent.dollars:,.2f} dollars, {spent.tokens:,} tokens; cap: {cap}, {tokens}"
    yield (
        "At most: prompts at one token a byte, answers at max_tokens, every retry of a level; what is lost to a bad network comes on top, "
        "within the cap."
    )


def main(study: str, problems: str) -> None:
    """Print the estimate of a study."""
    params = {}
    for role, kind in ROLES.items():
        if study_file.section(study, role, dict[str, Any]).get("teacher") == "chat":
            params[role] = study_file.section(study, role, kind)
    if not params:
        print(f"{study}: no role of it asks a model: nothing to pay")
        return
    assumed = study_file.section(study, "estimate", Assumptions)
    with ExitStack() as stack:
        desks = {role: stack.enter_context(role_client.opened(study, role, model)) for role, model in params.items()}
        survey = Survey(study, assumed, desks, params)
        for problem in files.iterate_records(Path(problems), Problem):
            survey.meet(problem)
        print("\n".join(lines(list(survey.parts.values()), assumed, next(iter(desks.values())))))


if __name__ == "__main__":
    command.run(main)
