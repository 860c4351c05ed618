"""Python imports this module when it starts, if its folder is on PYTHONPATH: it logs every file that a stage opens below the current root.

A line is ``CELL<tab>r or w<tab>PATH``; CELL is the command of the stage, also in the processes that it starts. Files that C code opens do
not show. OPENED_LOG names the log, OPENED_ROOT the root.
"""

import os
import sys


def _start(log: str, root: str) -> None:
    if "-m" in sys.orig_argv and (words := sys.orig_argv[sys.orig_argv.index("-m") + 1 :])[0].startswith("stages."):
        os.environ["OPENED_CELL"] = " ".join(words)
    cell = os.environ.get("OPENED_CELL")
    if not cell:
        return  # DVC itself, or git
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(how: str, path: object) -> None:
        if isinstance(path, bytes | str | os.PathLike):
            whole = os.path.abspath(os.fsdecode(path))
            if whole.startswith(root + os.sep):
                os.write(file, f"{cell}\t{how}\t{os.path.relpath(whole, root)}\n".encode())

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = set("wax+") & set(mode) if isinstance(mode, str) else int(flags or 0) & (os.O_WRONLY | os.O_RDWR)  # type: ignore[call-overload]
            note("w" if writes else "r", path)
        elif event == "os.rename":
            note("w", arguments[1])

    sys.addaudithook(hook)


if "OPENED_LOG" in os.environ:
    _start(os.environ["OPENED_LOG"], os.environ["OPENED_ROOT"])
