"""What the golden tests print; ``python -m tests.golden.exams`` scans the golden PDF again."""

from pathlib import Path

from distill.competition.exam import Exam, Item
from distill.competition.scan import scan
from distill.competition.typeset import typeset

HERE = Path(__file__).parent
TEXT = Exam(
    2015,
    "freshman-sophomore",
    (
        Item("1", "Evaluate 3^{10} - 2^5.", "59017"),
        Item("2", "Find the sum of 3/4 and 15/16.", "27/16"),
        Item("3", "Simplify √12 + 2√75.", "12√3"),
        Item(
            "4",
            "Find the intersection of the lines 3x - 2y = 17 and x + y = -1. Write it as an ordered pair (x, y) of integers.",
            "(3, -4)",
        ),
        Item("5", "A jacket for $1,284.50 is discounted by 20%. What is the price, in dollars?", "$1,027.60"),
        Item("6", "A two-digit number exceeds a by 2 1/2; write 1101_2 in base 10.", "13"),
        Item("7", "Solve 2^{x-3} = 128, if x ≤ 12, and compute 5 · 4 × 3.", "60"),
        Item("8", "The area of a sector of 60° is 24π. Find its radius.", "12"),
        Item("9", "What is f(3/4) for f(x) = (x^4 - 16)/(x^2 + 4)?", "-55/16"),
        Item("10", "The hypotenuse is √{a^2 + b^{10}}; is a < 3/x?", "√(a + b)"),
        Item(
            "11",
            "Anna's mean over 4 tests is 87.5. The next numbered line is no problem, since it stands in the column of the text:",
            "7^{-2}",
        ),
        Item("12", "Add 12. 13. 14.", "39"),
    ),
)
SCAN = Exam(
    2013,
    "two-person",
    (
        Item("1", "Compute 31^2 - 27^2.", "232"),
        Item("2", "Add 3/4 and 1/5; write a reduced fraction.", "19/20"),
        Item("3", "Simplify √600.", "10√6"),
        Item("4", "Find the last digit of 37^{68}.", "1"),
        Item("5", "What is 75% of 120?", "90"),
        Item("6", "Find (x, y) if x + y = 5 and x - y = 1.", "(3, 2)"),
    ),
)


def main(folder: Path) -> None:
    """Print the second exam and scan it."""
    printed = folder / "printed.tmp"
    typeset(SCAN, printed)
    scan(printed, folder / "2013-two-person.pdf", dpi=200, skew=0.4, noise=0.0005, seed="golden")
    printed.unlink()


if __name__ == "__main__":
    main(HERE)
