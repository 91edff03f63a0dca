"""Verbs of deletion in forks that stop at a step, on a lake in the state in which each begins."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.lake.deletions import State
from tests.support.deletion.small_lake import files_of_lake, journal_of, write_lake


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
        """What came of the verb."""
        self.start(lake, run, verb, **fault)
        return self.finish()

    def start(self, lake: Path, run: Path, verb: str, **fault: Any) -> None:
        """Begins the verb, and does not wait for it."""
        request = {"lake": str(lake), "run": str(run), "verb": verb, **fault}
        assert self.server.stdin is not None
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()

    def finish(self) -> dict[str, Any]:
        """What came of the verb that was begun."""
        assert self.server.stdout is not None
        told: dict[str, Any] = json.loads(self.server.stdout.readline())
        return told

    def close(self) -> None:
        """Ends the server."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()


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
