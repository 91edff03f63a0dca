"""A verb that is killed at any of its steps, or meets an error there, loses nothing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.lake.deletions import State
from tests.support.deletion.small_lake import files_of_lake, journal_of, write_lake

pytestmark = pytest.mark.slow
EVERY = int(os.environ.get("R2D2_CRASH_EVERY", "12"))
"""Of the steps of a verb every so many is one at which it is killed; 1 is all of them."""
ERRORS = ("EIO", "ENOSPC", "EACCES")


class Forks:
    """Runs verbs in forks of one process."""

    def __init__(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.deletion.faults"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, lake: Path, run: Path, verb: str, **fault: Any) -> dict[str, Any]:
        request = {"lake": str(lake), "run": str(run), "verb": verb, **fault}
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        told: dict[str, Any] = json.loads(self.server.stdout.readline())
        return told

    def close(self) -> None:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """A server of forks."""
    forks = Forks()
    yield forks
    forks.close()


class Prepared:
    """A lake in the state in which each verb begins, to be copied for each crash."""

    def __init__(self, folder: Path, forks: Forks) -> None:
        self.forks, self.run, self.lake = forks, folder / "run", folder / "lake"
        write_lake(self.lake)
        self.before = files_of_lake(self.lake)
        tables = ("whole.parquet", "oslo.parquet", "half.parquet", "rome")
        self.rows = {table: rows_of(self.lake / table) for table in tables}
        self.states, self.counts = {}, {}
        begins = {"apply": ("undo", "purge"), "purge": ("rebuild",), "undo": (), "rebuild": ()}
        self._keep(folder, "apply")
        for verb, after in begins.items():
            self.begin(verb)
            told = self(verb)
            assert "error" not in told, told
            self.counts[verb] = told["count"]
            for name in after:
                self._keep(folder, name)

    def _keep(self, folder: Path, name: str) -> None:
        self.states[name] = shutil.copytree(self.lake, folder / f"before {name}")

    def begin(self, verb: str) -> None:
        """The lake as it is before the verb, at the place that the plan names."""
        shutil.rmtree(self.lake)
        shutil.copytree(self.states[verb], self.lake)

    def __call__(self, verb: str, **fault: Any) -> dict[str, Any]:
        """What came of the verb, run on the lake as it is."""
        return self.forks(self.lake, self.run, verb, **fault)

    def check_nothing_is_lost(self) -> None:
        """Each table is live, in quarantine with its bytes, or comes back from its parents."""
        told = self("fsck")
        assert told.get("steps") == [], told
        journal = journal_of(self.lake)
        states = {d.table: d.state for d in journal.state.deletions.values() if d.holds}
        assert State.MARKED not in states.values()
        assert State.PURGING not in states.values()
        for verb in ("undo", "rebuild"):
            told = self(verb)
            assert "error" not in told, told
        after = files_of_lake(self.lake)
        anew = self.rebuilt_tables()
        for table, rows in self.rows.items():
            if table in anew:
                assert rows_of(self.lake / table).equals(rows)
            else:
                files = {p for p in self.before if p == table or p.startswith(f"{table}/")}
                assert {p: after.get(p) for p in files} == {p: self.before[p] for p in files}

    def rebuilt_tables(self) -> set[str]:
        """The tables that fsck, or a rebuild, wrote anew."""
        deletions = journal_of(self.lake).state.deletions.values()
        return {d.table for d in deletions if d.purge_began or d.state is State.REBUILT}


def rows_of(table: Path) -> pa.Table:
    """The table's rows in order."""
    return pq.read_table(table).sort_by("id")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Prepared:
    """The lake in each state."""
    return Prepared(tmp_path_factory.mktemp("crashes"), forks)


@pytest.mark.parametrize("verb", ["apply", "undo", "purge", "rebuild"])
def test_a_verb_killed_at_any_step_loses_nothing(prepared: Prepared, verb: str) -> None:
    fired = 0
    for step in range(0, prepared.counts[verb], EVERY):
        prepared.begin(verb)
        told = prepared(verb, step=step)
        fired += told["killed"]
        prepared.check_nothing_is_lost()
    assert fired == len(range(0, prepared.counts[verb], EVERY))


@pytest.mark.parametrize("verb", ["apply", "purge"])
def test_a_recovery_that_is_killed_too_loses_nothing(prepared: Prepared, verb: str) -> None:
    fired = 0
    for step in range(1, prepared.counts[verb], 7 * EVERY):
        for again in range(0, 1000, 5 * EVERY):
            prepared.begin(verb)
            assert prepared(verb, step=step)["killed"]
            if not prepared("fsck", step=again)["killed"]:
                break
            fired += 1
            prepared.check_nothing_is_lost()
    assert fired


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("verb", ["apply", "undo", "purge", "rebuild"])
def test_no_step_that_destroys_follows_an_error(
    prepared: Prepared, verb: str, error: str
) -> None:
    fired = 0
    for step in range(ERRORS.index(error), prepared.counts[verb], 4 * EVERY):
        prepared.begin(verb)
        told = prepared(verb, step=step, fault=error)
        log = [tuple(each) for each in told["log"]]
        places = [place for place, (call, _) in enumerate(log) if call == "fault"]
        fired += len(places)
        for call, names in log[places[0] :] if places else ():
            assert not destroys(prepared.lake, call, names), (step, call, names)
        prepared.check_nothing_is_lost()
    assert fired


def destroys(lake: Path, call: str, names: str) -> bool:
    """Whether a step takes a table's file away from its place, or from quarantine."""
    first = names.split(" ")[0]
    of_table = f"{lake}/_r2d2/quarantine/" in first or f"{lake}/_r2d2/" not in first
    is_scratch = str(lake) not in first or "/.r2d2-" in first or Path(first).name.startswith(".")
    takes = call in ("rename", "rename_new", "replace", "unlink")
    return takes and of_table and not is_scratch
