"""`python -m tools.cluster STUDY --local N` or `--scheduler tcp://HOST:PORT`: run a study with workers of a Dask scheduler."""

import argparse
import re

from distill.cli import command
from distill.core.errors import InputError


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tools.cluster", description=__doc__)
    parser.add_argument("study", help="a file of studies/, without its ending")
    parser.add_argument("--scheduler", default="", help="address of a Dask scheduler: tcp://HOST:PORT")
    parser.add_argument("--local", default="", help="number of workers to start on this machine")
    given = parser.parse_args()
    if not given.study:
        raise InputError("say which study: make cluster S=NAME LOCAL=4; NAME is a file of studies/ without its ending")
    if bool(given.scheduler) == bool(given.local):
        raise InputError("say which workers: LOCAL=4 (on this machine) or SCHEDULER=tcp://HOST:PORT (docs/cluster.md), one of both")
    if given.local and not re.fullmatch(r"[1-9]\d{0,2}", given.local):
        raise InputError(f"LOCAL={given.local}: expected a number of workers, 1 to 999")
    from tools.cluster import coordinator  # Dask and DVC take a second to import

    coordinator.run(given.study, given.scheduler, int(given.local or 0))


if __name__ == "__main__":
    command.guarded("cluster", main)
