"""likelihood: how probable a student finds given texts: the gold chain, and the gold answer with and without a chain before it.

Rows in data/STUDY/likelihood.jsonl.gz, one an arm, seed, problem and measure; likelihood.json has their means, likelihood.csv the same as
a tidy table (docs/likelihood.md). The prompt is the one that the student is asked with; an arm's own text stands after its corpus' prompt.
A finished cell is kept by its content, so that a killed run loses at most the cells in work, and an unchanged cell is not scored again.
A study whose section is empty has no rows, nor has a recorded student, which has no weights.
"""

from collections import defaultdict
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.cli import command
from distill.cli.layout import BASE, Paths
from distill.core import study_file
from distill.core.cells import cell_paths
from distill.core.errors import InputError
from distill.core.files import iterate_records, read_records, write_json, write_records, write_text
from distill.likelihood import cells, figures, jobs, parts, targets
from distill.model import engine
from distill.model.chat_tokenizer import VOCABULARY, Argument, ChatTokenizer
from distill.model.model_io import WEIGHTS, folder_sha256
from distill.records.assignment import Assignment
from distill.records.completion import Completion
from distill.records.example import Example, prompt
from distill.records.level import Level
from distill.records.problem import Problem
from distill.stats.score_table import split_roles
from distill.stats.summary import Settings

ADAPTER = ("adapter_config.json", "adapters.safetensors")
Size = Annotated[int, Meta(ge=2)]


class Params(Settings, frozen=True):
    """Section `likelihood` of a study file."""

    opening: Annotated[str, Meta(min_length=1)]  # of an answer line
    common: str  # the level whose texts are scored for every arm
    parts: Annotated[dict[str, Size], Meta(min_length=1)]  # problems of each part: seen, heldout, benchmarks that are asked
    batch_tokens: Annotated[int, Meta(ge=1)]


class Override(msgspec.Struct, frozen=True):
    """Of `sample.per_benchmark`, what decides a prompt."""

    chat_template: dict[str, Argument] | None = None


class Asked(msgspec.Struct, frozen=True):
    """Of section `sample`, what decides a prompt and the number format."""

    system: str
    chat_template: dict[str, Argument]
    float32: bool
    per_benchmark: dict[str, Override] = {}


class Member(msgspec.Struct, frozen=True):
    """Of a corpus example, its problem."""

    id: str


def main(paths: Paths) -> None:
    """Score the cells that params.yaml names; write their rows, the means and the table."""
    params = study_file.optional_section(paths.study_file, "likelihood", Params)
    recorded = study_file.section(paths.study_file, "student", study_file.Kind).kind == "recorded"
    tasks = [] if params is None or recorded else plan(paths, params)
    rows = cells.score(tasks) if tasks else []
    document = figures.metrics(rows, params) if params and rows else {}
    wrote = write_records(paths.likelihood, rows)
    write_json(paths.likelihood_metrics, document)
    write_text(paths.likelihood_table, figures.tidy(document))
    cells.clear(paths.work / "likelihood", tasks)
    command.closing("likelihood", sum(len(task.jobs) for task in tasks), wrote)


def plan(paths: Paths, params: Params) -> list[cells.Task]:
    """Return the task of every cell: base first, then as params.yaml has them."""
    arms, seeds = study_file.section(paths.params, "arms", list[str]), study_file.section(paths.params, "seeds", list[int])
    asked = study_file.section(paths.study_file, "sample", Asked)
    drawn = draw(paths, params, arms)
    own = texts(paths, arms, {each.problem.id for each in drawn if each.part in (parts.SEEN, parts.HELDOUT)})
    levels = iterate_records(paths.levels, Level)
    common = {level.id: level.text for level in levels if level.level == params.common and level.states_answer}
    if not common:
        raise InputError(f"{paths.study_file}: section 'likelihood': common: no text of level '{params.common}' in {paths.levels}")
    student = ChatTokenizer(paths.student)
    names = {each.problem.benchmark for each in drawn}
    variables = {name: asked.per_benchmark.get(name, Override()).chat_template for name in names}
    tokenizers = {name: student.with_arguments(asked.chat_template if given is None else given) for name, given in variables.items()}
    form = jobs.Form(tokenizers, targets.end_token(student.with_arguments(asked.chat_template)), params.opening)
    prompts = [prompt(asked.system, each.problem.statement) for each in drawn]
    facts = {"student": folder_sha256(paths.student, WEIGHTS), "tokenizer": folder_sha256(paths.student, VOCABULARY)}
    facts |= {"engine": str(engine.start()), "float32": str(asked.float32), "batch_tokens": str(params.batch_tokens)}
    completions = cell_paths(paths.completions, arms, seeds, ".jsonl.gz", base=True)
    adapters = cell_paths(paths.adapters, arms, seeds, base=False)
    tasks = []
    for cell, file in completions.items():
        sampled = defaultdict(list)
        for completion in iterate_records(file, Completion):
            sampled[completion.benchmark, completion.id].append(completion)
        mine = own if cell[0] == BASE else {cell[0]: own[cell[0]]}
        todo, adapter = jobs.jobs(drawn, prompts, common, mine, sampled, form), adapters.get(cell)
        about = facts | ({"adapter": folder_sha256(adapter, ADAPTER)} if adapter else {})
        kept = cells.kept(paths.work / "likelihood", cell, about, todo)
        tasks.append(cells.Task(cell, paths.student, adapter, asked.float32, params.batch_tokens, drawn, todo, kept))
    return tasks


def draw(paths: Paths, params: Params, arms: list[str]) -> list[parts.Drawn]:
    """Draw the problems of every part."""
    problems, assignments = read_records(paths.problems, Problem), read_records(paths.split, Assignment)
    benchmarks = [problem for path in sorted(paths.benchmarks.glob("*.jsonl")) for problem in read_records(path, Problem)]
    statements = {problem.id: problem.statement for problem in problems}
    roles = {}
    for arm in arms:
        seen, valid = ({each.id for each in iterate_records(paths.corpora / arm / f"{name}.jsonl", Member)} for name in ("train", "valid"))
        roles[arm] = split_roles(assignments, seen, valid, statements)
    try:
        return parts.draw(params.parts, params.seed, problems, benchmarks, assignments, roles)
    except ValueError as error:
        raise InputError(f"{paths.study_file}: section 'likelihood': {error}") from None


def texts(paths: Paths, arms: list[str], names: set[str]) -> dict[str, dict[str, Example]]:
    """Return each arm's own examples of the named problems."""
    found: dict[str, dict[str, Example]] = {arm: {} for arm in arms}
    for arm in arms:
        for part in ("train", "test"):
            for example in iterate_records(paths.corpora / arm / f"{part}.jsonl", Example):
                if example.id in names:
                    found[arm].setdefault(example.id, example)
    return found


if __name__ == "__main__":
    command.run(main)
