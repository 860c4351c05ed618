"""One name for each item: 9, (T1), 9. (T1) and Tiebreaker #1 of an event of eight rounds are all T1."""


def position(label: str, rounds: int) -> int:
    """Return an item's position in its test: T1 comes after the last round.

    >>> position("T1", 8), position("9", 8), position("7", 8)
    (9, 9, 7)
    """
    return rounds + int(label[1:]) if label[0] == "T" else int(label)


def named(position: int, rounds: int) -> str:
    """Return the one name of the item at a position.

    >>> named(9, 8), named(7, 8)
    ('T1', '7')
    """
    return f"T{position - rounds}" if position > rounds else str(position)
