"""Dates: Friday, March 5, 2021, 5 March 2021 and 2021-03-05 are one; 3/5/2021 is none, because it has two meanings."""

import re
from datetime import date
from typing import NamedTuple

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)\.?"
)
_DAY = r"(\d\d?)(?:st|nd|rd|th)?"
_DATE = re.compile(rf"(?:{_MONTH} {_DAY}|(?:the )?{_DAY} (?:of )?{_MONTH})(?:,? (\d{{4}}))?", re.IGNORECASE)
_WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAY = re.compile(r"(?:on )?(?:(mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? (?:the )?)?(?=\S* )", re.IGNORECASE)
_MONTH_ALONE = re.compile(rf"(?:in )?{_MONTH}", re.IGNORECASE)
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)")


class Day(NamedTuple):
    """A date; year 0 and weekday "" where the text has none."""

    month_day: tuple[int, int]
    year: int
    weekday: str


def same_date(left: str, right: str) -> tuple[bool | None] | None:
    """Compare dates: None in the tuple where one leaves the year out, None for any other texts."""
    months = [_MONTH_ALONE.fullmatch(text) for text in (left, right)]
    if all(months):
        return (len({match[1][:3].casefold() for match in months if match}) == 1,)
    first, second = _date(left), _date(right)
    if not first or not second:
        return (False,) if _ISO.fullmatch(left) or _ISO.fullmatch(right) else None  # 2021-03-05 is not 2013
    if first.month_day != second.month_day or (first.weekday or second.weekday) != (second.weekday or first.weekday):
        return (False,)
    for one, other in ((first, second), (second, first)):
        if one.year and (other.weekday or one.weekday) not in ("", _weekday(one)):
            return (False,)
    return (first.year == second.year if bool(first.year) == bool(second.year) else None,)


def _weekday(day: Day) -> str:
    """Return the first three letters of a date's day of the week."""
    try:
        return _WEEKDAYS[date(day.year, *day.month_day).weekday()]
    except ValueError:
        return "none"


def _date(text: str) -> Day | None:
    if match := _ISO.fullmatch(text):
        return Day((int(match[2]), int(match[3])), int(match[1]), "")
    lead = _WEEKDAY.match(text)
    if not (match := _DATE.fullmatch(text, lead.end() if lead else 0)):
        return None
    month = _MONTHS.index((match[1] or match[4])[:3].casefold()) + 1
    return Day((month, int(match[2] or match[3])), int(match[5] or 0), (lead[1] or "")[:3].casefold() if lead else "")
