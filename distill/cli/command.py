"""What every stage's shell shares: typed parameters in, one-line errors out, one closing line.

A stage module ends in ``if __name__ == "__main__": stage.run(main)``; `main` takes the words of its command line in
dvc.yaml, reads, calls the pure function, writes.
"""

import errno
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from distill.core.errors import InputError

T = TypeVar("T")


def run(main: Callable[..., None]) -> None:
    """Call `main` with the command line's words; a data fault ends in one line on stderr and exit code 2."""
    names = list(inspect.signature(main).parameters.values())
    words = sys.argv[1:]
    variadic = any(name.kind is name.VAR_POSITIONAL for name in names)
    fixed = [name.name for name in names if name.kind is not name.VAR_POSITIONAL]
    module = Path(sys.argv[0]).stem
    if len(words) < len(fixed) or (len(words) > len(fixed) and not variadic):
        usage = " ".join(f"{name.name.upper()}{'...' if name.kind is name.VAR_POSITIONAL else ''}" for name in names)
        count = f"at least {len(fixed)}" if variadic else str(len(fixed))
        print(f"{module}: expected {count} arguments, got {len(words)}: python -m stages.{module} {usage}", file=sys.stderr)
        sys.exit(2)
    try:
        main(*words)
    except InputError as fault:
        print(f"{module}: {fault}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a full disk, a missing file, a permission: the user's to mend
        where = f": {error.filename}" if error.filename else ""
        remedy = "; free some space and run it again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        print(f"{module}: {error.strerror or error}{where}{remedy}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{module}: interrupted; run it again to go on from what is kept in .work/", file=sys.stderr)
        sys.exit(130)


def closing(name: str, read: int, wrote: int, dropped: Mapping[str, int] | None = None) -> None:
    """Print a stage's closing line: read N, wrote M, dropped K and why."""
    reasons = {reason: count for reason, count in sorted((dropped or {}).items()) if count}
    why = f" ({', '.join(f'{reason}: {count}' for reason, count in reasons.items())})" if reasons else ""
    print(f"{name}: read {read}, wrote {wrote}, dropped {sum(reasons.values())}{why}", file=sys.stderr)
