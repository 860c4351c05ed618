"""What the coordinator asks of a worker, and what it hears back."""

from typing import Any

import msgspec


class Order(msgspec.Struct, frozen=True):
    """One cell to compute."""

    cell: str
    needs: list[str]  # the cells whose outputs it reads
    blocks: dict[str, str]  # of dvc.lock: those of `needs`, and the cell's own where it has one
    params: str  # params.yaml, which names one study while the cluster runs it
    remote: dict[str, Any]  # settings of the exchange


class Answer(msgspec.Struct, frozen=True):
    """What became of an order."""

    block: str = ""  # of dvc.lock
    ran: bool = False  # computed; otherwise found in the remote
    seconds: float = 0.0
    error: str = ""  # one line; "" where the outputs are in the remote


class CellError(Exception):
    """A cell that failed on a worker; the message is one line."""
