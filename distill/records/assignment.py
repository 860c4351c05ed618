"""Which problems a study trains on, which it holds out, and which it asks of every student."""

import msgspec


class Assignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One competition problem's place."""

    id: str
    cluster: str  # id of the first problem of its duplicate cluster
    split: str  # train | valid | heldout
    evaluate: bool  # asked of every student (all held-out problems, and a fixed sample of the training problems)
