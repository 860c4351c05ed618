"""One name for each item: 9, (T1), 9. (T1) and Tiebreaker #1 of an event of eight rounds are all T1."""


def place(printed: str, rounds: int) -> int:
    """Return an item's place in its test: T1 comes after the last round.

    >>> place("T1", 8), place("9", 8), place("7", 8)
    (9, 9, 7)
    """
    return rounds + int(printed[1:]) if printed[0] == "T" else int(printed)


def named(place: int, rounds: int) -> str:
    """Return the one name of the item at a place.

    >>> named(9, 8), named(7, 8)
    ('T1', '7')
    """
    return f"T{place - rounds}" if place > rounds else str(place)
