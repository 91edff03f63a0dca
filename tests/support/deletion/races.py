"""Races: somebody acts on a table at one of the steps of a verb that works on it.

A step is a call that changes files. Between two of them the writer, or a second runner, does all
that it does; then the verb goes on. What came of both is told.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from r2d2.deletion import journal as journal_module
from r2d2.deletion.discrepancies import Discrepancy, discrepancies
from r2d2.deletion.movers import rename as rename_module
from r2d2.deletion.parents import LakeNow
from r2d2.deletion.verbs.apply import Applied, apply
from r2d2.deletion.verbs.fsck import settle
from r2d2.deletion.verbs.purge import Purged, purge
from r2d2.deletion.verbs.undo import Undone, undo
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import State
from r2d2.plan.plan_form import Data
from tests.support.deletion.small_lake import journal_of

SEEDS = int(os.environ.get("R2D2_RACE_SEEDS", "1"))
"""Of steps that are tried for each pair of a verb and an act."""
CALLS = ("link", "rename", "replace", "unlink", "mkdir", "rmdir", "fsync", "write")
VERBS = ("apply", "undo", "purge")
DONE = (Applied, Undone, Purged)
Rows = set[Any]


@dataclass(slots=True)
class Outcome:
    """What a runner told: its steps, and the error that ended it."""

    steps: list[Any] = field(default_factory=list)
    error: str = ""

    @property
    def tables(self) -> set[str]:
        """The tables with which it did what it was to do."""
        done = (each for each in self.steps if isinstance(each, DONE))
        return {each.table for each in done if not getattr(each, "again", False)}

    @property
    def name(self) -> str:
        """One word for it."""
        kinds = [type(step).__name__ for step in self.steps if type(step).__name__ != "Discrepancy"]
        return "error" if self.error else "+".join(kinds) or "nothing"

    @property
    def only_settled(self) -> bool:
        """Whether it found no table to work on, beside what another had left half done."""
        return all(isinstance(step, Discrepancy) for step in self.steps)

    def says_why(self) -> bool:
        """Whether a runner that did nothing tells the reason."""
        reasons = [self.error, *(getattr(step, "reason", "") for step in self.steps)]
        return (
            bool(self.tables) or any(reasons) or any(getattr(s, "again", False) for s in self.steps)
        )


class Raced:
    """A lake whose table is live, or deleted, at the place that its plan names."""

    def __init__(
        self, folder: Path, table: str, lake: Path, plan: Data, visible: Callable[[Path], Rows]
    ) -> None:
        self.folder, self.lake, self.plan = folder, lake, plan
        self.table, self.visible = table, visible
        self.whole = visible(lake / table)
        shutil.copytree(lake, folder / "live", copy_function=shutil.copy2)
        assert [each for each in self.run("apply").steps if isinstance(each, Applied)]
        shutil.copytree(lake, folder / "deleted", copy_function=shutil.copy2)
        self.counts = {verb: self._counted(verb) for verb in VERBS}

    def begin(self, verb: str) -> None:
        """The lake as it is before the verb."""
        shutil.rmtree(self.lake)
        state = "live" if verb == "apply" else "deleted"
        shutil.copytree(self.folder / state, self.lake, copy_function=shutil.copy2)
        shutil.rmtree(self.folder / "elsewhere", ignore_errors=True)

    def _counted(self, verb: str) -> int:
        self.begin(verb)
        with at_step(-1, lambda: None) as steps:
            assert self.run(verb).tables
        return len(steps)

    def run(self, verb: str) -> Outcome:
        """What came of the verb."""
        told, journal = Outcome(), journal_of(self.lake)
        try:
            told.steps.extend(self._steps(verb, journal))
        except (R2D2Error, OSError) as error:
            told.error = str(error) or type(error).__name__
        return told

    def _steps(self, verb: str, journal: Any) -> Iterable[Any]:
        match verb:
            case "apply":
                return apply(journal, self.plan, self.folder / "run")
            case "undo":
                return undo(journal, [d.id for d in journal.state.deletions.values() if d.holds])
        return purge(journal, 0.0)

    def race(self, verb: str, act: Callable[[Path], None], step: int) -> Outcome:
        """What came of the verb and the act, and that no row or commit of anybody is lost."""
        self.begin(verb)
        place, wanted, log = self.lake / self.table, set[Any](), dict[str, bytes]()

        def acting() -> None:
            if not self.whole <= self.visible(place):
                wanted.update(self.whole)
            act(place)
            wanted.update(self.visible(place) if place.exists() else ())
            log.update(commits(place))

        with at_step(step, acting) as steps:
            told = self.run(verb)
        assert len(steps) > step, "the act never happened"
        assert told.says_why(), told
        self.check_nothing_is_lost(wanted, log)
        return told

    def check_nothing_is_lost(self, wanted: Rows, log: dict[str, bytes]) -> None:
        """Rows are live, or come back by a held deletion; commits are as they were written."""
        with (journal := journal_of(self.lake)).lease("fsck"):
            settle(journal)
        assert [each for each in discrepancies(journal) if not each.needs_person] == []
        place = self.lake / self.table
        assert {name: content for name, content in commits(place).items() if name in log} == log
        found = self.visible(place)
        for deletion in journal.state.deletions.values():
            if deletion.holds:
                assert deletion.state is not State.PURGING
                LakeNow(journal.place).check(deletion)
                found |= self.whole
        assert wanted <= found


def commits(table: Path) -> dict[str, bytes]:
    """The commits of a Delta log; none of another table."""
    return {path.name: path.read_bytes() for path in (table / "_delta_log").glob("*.json")}


@contextmanager
def at_step(step: int, act: Callable[[], None]) -> Iterator[list[str]]:
    """Has somebody act before the call of this number that changes files; gives the calls."""
    calls, made = {name: getattr(os, name) for name in CALLS}, list[str]()
    acting = [False]

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def calling(*args: Any, **options: Any) -> Any:
            if not acting[0]:
                made.append(name)
                if len(made) - 1 == step:
                    acting[0] = True
                    act()
                    acting[0] = False
            return call(*args, **options)

        return calling

    with pytest.MonkeyPatch.context() as patch:
        for name, call in calls.items():
            patch.setattr(os, name, counted(name, call))
        renames = rename_module.rename_new
        patch.setattr(rename_module, "rename_new", counted("rename_new", renames))
        yield made


def second_runner(
    raced: Raced, verb: str, takes_over: bool
) -> tuple[Callable[[Path], None], Outcome]:
    """A runner that runs the verb at once, by the way passing by the first; and what came of it."""
    told = Outcome()

    def act(_: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if takes_over:
                patch.setattr(journal_module, "_is_over", lambda lease: True)
            other = raced.run(verb)
            told.steps, told.error = other.steps, other.error

    return act, told


def races_with_a_writer(raced: Raced, verb: str, act: Callable[[Path], None]) -> Counter[str]:
    """What came of the verb, by seed at another step at which the writer acts; no row is lost."""
    told = Counter[str]()
    for seed in range(SEEDS):
        chance = random.Random(f"{verb} {act.__name__} {seed}")
        told[raced.race(verb, act, chance.randrange(raced.counts[verb])).name] += 1
    print(f"{verb} × {act.__name__}: {dict(told)}")
    return told


def races_of_two_runners(raced: Raced, verb: str, other: str) -> Counter[str]:
    """What came of both verbs: one runner wins, and the other says why it did nothing."""
    told = Counter[str]()
    for seed in range(SEEDS):
        chance = random.Random(f"{verb} {other} {seed}")
        act, second = second_runner(raced, other, takes_over=chance.random() < 0.5)
        first = raced.race(verb, act, chance.randrange(raced.counts[verb]))
        assert second.says_why() or second.only_settled, (first, second)
        assert verb != other or not (first.tables & second.tables), (first, second)
        told[f"{first.name}/{second.name}"] += 1
    print(f"{verb} × {other} by a second runner: {dict(told)}")
    return told
