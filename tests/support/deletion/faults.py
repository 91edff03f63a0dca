"""Runs verbs of deletion in forks that are killed, or that meet an error, at one of their steps.

    python -m tests.support.deletion.faults

A server: each line of its input is a JSON object with `lake`, `run`, `verb`, and the `step` at
which `fault` happens ("kill", "pause" or the name of an error; none by default); each line of its
output tells how the fork ended. It imports all, and starts no thread: a fork is quick and whole.

A step is a call that changes files: `before` it begins, or after it (odd numbers).
"""

import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pyarrow.parquet

from r2d2.deletion import journal, place
from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import rename
from r2d2.deletion.verbs import apply, fsck, purge, rebuild, undo
from r2d2.formats.parquet import read, write
from r2d2.plan import rebuild as plan_rebuild
from r2d2.plan.plan_file import load_plan
from r2d2.recipes.run import trial
from tests.support.deletion.small_lake import approved

IMPORTED = (pyarrow.dataset, pyarrow.parquet, plan_rebuild, trial, read, write)
CALLS = ("link", "rename", "replace", "unlink", "mkdir", "rmdir", "fsync", "write")
KILL, PAUSE = "kill", "pause"


class Steps:
    """Counts the calls that change files, and has the fault happen at one of them."""

    def __init__(self, step: int | None, fault: str) -> None:
        self.count, self.step, self.fault = 0, step, fault
        self.log: list[tuple[str, str]] = []

    def install(self) -> None:
        for name in CALLS:
            setattr(os, name, self._counted(name, getattr(os, name)))
        rename.rename_new = self._counted("rename_new", rename.rename_new)  # type: ignore[assignment]

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            if name == "write" and args[0] in (1, 2):
                return call(*args, **options)
            self._pass(name, args, call)
            result = call(*args, **options)
            self._pass(name, args, call)
            self.log.append((name, " ".join(str(arg) for arg in args if not isinstance(arg, int))))
            return result

        return counted

    def _pass(self, name: str, args: tuple[Any, ...], call: Callable[..., Any]) -> None:
        number, self.count = self.count, self.count + 1
        if number != self.step:
            return
        if self.fault == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == PAUSE:
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        if name == "write" and self.fault == "ENOSPC":
            call(args[0], bytes(args[1])[: len(args[1]) // 2])
        self.log.append(("fault", name))
        raise OSError(getattr(errno, self.fault), os.strerror(getattr(errno, self.fault)))


def run_verb(lake: Path, run: Path, verb: str) -> list[str]:
    """Runs the verb, and tells its steps."""
    found = Journal(place.LocalPlace(lake))
    match verb:
        case "apply":
            steps: Any = apply.apply(found, load_plan(run / "plan.json"), run)
        case "undo":
            steps = undo.undo(found, [d.id for d in undo.undoable(found)])
        case "purge":
            steps = purge.purge(found, 0.0)
        case "rebuild":
            gone = [d.id for d in found.state.deletions.values() if d.state == "purged"]
            steps = rebuild.rebuild(found, gone, None)
        case "fsck":
            with found.lease("fsck"):
                fsck.settle(found)
            steps = list(fsck.discrepancies(Journal(place.LocalPlace(lake))))
    return [f"{type(step).__name__} {step}" for step in steps]


def in_fork(request: dict[str, Any]) -> dict[str, Any]:
    """What came of the verb in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        steps = Steps(request.get("step"), request.get("fault", KILL))
        told: dict[str, Any] = {}
        try:
            if "pid_file" in request:
                Path(request["pid_file"]).write_text(str(os.getpid()), encoding="ascii")
            if request.get("takes_over"):
                journal._is_over = lambda lease: True
            if request["verb"] == "apply" and request.get("planned", True):
                approved(Path(request["lake"]), Path(request["run"]))
            steps.install()
            told["steps"] = run_verb(Path(request["lake"]), Path(request["run"]), request["verb"])
        except Exception as error:  # noqa: BLE001 - told to the test
            told["error"] = f"{type(error).__name__}: {error}"
            told["trace"] = traceback.format_exc()
        told |= {"count": steps.count, "log": steps.log}
        with os.fdopen(writing, "wb", closefd=False) as pipe:
            pipe.write(json.dumps(told).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    told = json.loads(content) if content else {}
    return {**told, "killed": os.WIFSIGNALED(status)}


def main() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(in_fork(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
