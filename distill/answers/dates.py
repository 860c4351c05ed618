"""Dates: March 5, 2021, 5 March 2021 and 2021-03-05 are one; 3/5/2021 is none, because it has two meanings."""

import re

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)\.?"
)
_DAY = r"(\d\d?)(?:st|nd|rd|th)?"
_DATE = re.compile(rf"(?:{_MONTH} {_DAY}|(?:the )?{_DAY} (?:of )?{_MONTH})(?:,? (\d{{4}}))?", re.IGNORECASE)
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)")


def same_date(left: str, right: str) -> tuple[bool | None] | None:
    """Compare dates: None in the tuple where one leaves the year out, None for any other texts."""
    first, second = _date(left), _date(right)
    if not first or not second:
        return (False,) if _ISO.fullmatch(left) or _ISO.fullmatch(right) else None  # 2021-03-05 is not 2013
    if first[:2] != second[:2]:
        return (False,)
    return (first == second if len(first) == len(second) else None,)


def _date(text: str) -> tuple[int, ...] | None:
    """Return month, day and, where it is there, the year."""
    if match := _ISO.fullmatch(text):
        return int(match[2]), int(match[3]), int(match[1])
    if not (match := _DATE.fullmatch(text)):
        return None
    month = _MONTHS.index((match[1] or match[4])[:3].casefold()) + 1
    return (month, int(match[2] or match[3]), *([int(match[5])] if match[5] else []))
