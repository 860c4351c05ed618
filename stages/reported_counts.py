"""Re-test a paper's claims from the counts that it reports, by the study file alone: no answer is read and no model runs.

reported_counts.json: counts.NAME.{rate, low, high, n, agrees} (Wilson's interval; whether the counts give the percentage printed beside
them) and claims.CLAIM, with the keys of claims.json; the words are on the page alone. Verdicts: supported (however the answers of two
arms pair), contradicted, inconclusive.
"""

from typing import Any

from distill.claims import claims_page
from distill.claims.claim import ClaimResult
from distill.claims.count_tests import Count
from distill.claims.reported_count_rules import CountedClaims
from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.core.markdown import grid
from distill.stats.intervals import wilson

METHOD = (
    "Counts alone do not say which answers of two arms go together: the largest p and the widest interval are those that the counts "
    "allow, and a claim is supported only by them. The power is {power:g}. n to decide: the questions that would show an effect of this "
    "size."
)


def main(paths: Paths) -> None:
    """Test every claim of the section; write the figures as JSON, and with the words as Markdown."""
    params = study_file.section(paths.study_file, "reported_counts", CountedClaims)
    where = f"{paths.study_file}: section 'reported_counts'"
    for name, count in params.counts.items():
        if not (0 <= count.right <= count.of and count.of > 0):
            raise InputError(f"{where}: counts.{name}: {count.right:g} right of {count.of}; allowed are 0 to all of at least one")
    try:
        rates = {name: rate(count, params.confidence) for name, count in params.counts.items()}
        results = params.results()
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
    claims = {name: result.record.figures() for name, result in results.items()}
    files.write_json(paths.reported_counts, {"counts": rates, "claims": claims})
    files.write_text(paths.reported_counts_page, page(paths.study, params, rates, results))
    command.closing("reported_counts", len(params.counts) + len(params.ledger), len(rates) + len(results))


def rate(count: Count, confidence: float) -> dict[str, Any]:
    """Return a count's rate with its interval over questions."""
    low, high = wilson(count.rate, count.of, confidence)
    return {"rate": count.rate, "low": low, "high": high, "n": count.of, "agrees": count.agrees()}


def page(study: str, params: CountedClaims, rates: dict[str, dict[str, Any]], results: dict[str, ClaimResult]) -> str:
    """Return the claims and the counts as tables, and each claim with its rule and what was found."""
    percent = f"{100 * params.confidence:g} % interval"
    columns: claims_page.Columns = {
        "verdict": claims_page.verdict, "by the counts": lambda record: claims_page.figure(record.ours),
        f"widest {percent}": claims_page.interval,
        "p unpaired": lambda record: claims_page.p_value(record.secondary.get("p_unpaired")),
        "smallest p": lambda record: claims_page.p_value(record.secondary.get("p_best")),
        "largest p": lambda record: claims_page.p_value(record.p), "largest p (Holm)": lambda record: claims_page.p_value(record.p_holm),
        "n": lambda record: record.n, "n to decide": lambda record: record.deciding,
    }  # fmt: skip
    counts = [
        [name, f"{count.right:g}", count.of, count.printed, f"{100 * row['low']:.1f} to {100 * row['high']:.1f}",
         "yes" if row["agrees"] else "no", count.source]
        for (name, count), row in zip(params.counts.items(), rates.values(), strict=True)
    ]  # fmt: skip
    head = ["count", "correct", "of", "printed, %", percent, "agrees", "source"]
    claims = claims_page.section(params.ledger, results, params, METHOD.format(power=params.power), columns)
    return (
        f"# Re-testing the reported counts of {study}\n\n`dvc repro reported_counts` writes this page from the study file alone.\n\n"
        f"## Claims\n\n{claims}\n\n## Counts\n\n{grid(head, counts)}\n"
    )


if __name__ == "__main__":
    command.run(main)
