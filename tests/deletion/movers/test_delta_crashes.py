"""A verb that is killed, or meets an error, at any step on a Delta table loses no row of it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.deletion.crashes import Forks
from tests.support.deletion.delta_lake import (
    CHILD,
    child_rows,
    rows_by_delta_rs,
    write_delta_lake,
)
from tests.support.deletion.small_lake import journal_of

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
EVERY = int(os.environ.get("R2D2_CRASH_EVERY", "31"))
"""Of the steps of a verb every so many is one at which it is killed; 1 is all of them."""
BEFORE = {"apply": (), "undo": ("apply",), "purge": ("apply",), "rebuild": ("apply", "purge")}


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """A server of forks."""
    forks = Forks()
    yield forks
    forks.close()


class Begun:
    """A lake in which a verb can begin, again and again."""

    def __init__(self, folder: Path, forks: Forks, verb: str) -> None:
        self.forks, self.verb = forks, verb
        self.run, self.lake, self.kept = folder / "run", folder / "lake", folder / "kept"
        write_delta_lake(self.lake)
        for before in BEFORE[verb]:
            self.does(before)
        shutil.copytree(self.lake, self.kept)
        self.steps = self.does(verb)["count"]

    def does(self, verb: str) -> dict[str, Any]:
        told = self.forks(self.lake, self.run, verb)
        assert "error" not in told, told
        return told

    def stopped(self, step: int, **fault: str) -> dict[str, Any]:
        """What came of the verb, which a fault stopped at the step."""
        shutil.rmtree(self.lake)
        shutil.copytree(self.kept, self.lake)
        return self.forks(self.lake, self.run, self.verb, step=step, **fault)

    def check_nothing_is_lost(self, step: int) -> None:
        for verb in ("fsck", "undo", "rebuild"):
            told = self.does(verb)
            assert verb != "fsck" or told["steps"] == [], (step, told)
        assert rows_by_delta_rs(self.lake / CHILD) == child_rows(), step
        assert not journal_of(self.lake).state.held(), step


@pytest.mark.parametrize("fault", ["kill", "EIO", "ENOSPC"])
@pytest.mark.parametrize("verb", BEFORE)
def test_a_verb_that_stops_at_any_step_loses_no_row_of_a_delta_table(
    tmp_path: Path, forks: Forks, verb: str, fault: str
) -> None:
    begun, fired = Begun(tmp_path, forks, verb), 0
    for step in range(len(fault) % EVERY, begun.steps, EVERY):
        told = begun.stopped(step, fault=fault)
        fired += told["killed"] or any(call == "fault" for call, _ in told["log"])
        begun.check_nothing_is_lost(step)
    assert fired == len(range(len(fault) % EVERY, begun.steps, EVERY))
