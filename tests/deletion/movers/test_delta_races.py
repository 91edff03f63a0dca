"""Whatever a writer does to a Delta table while it is deleted, undone or purged, no row is lost."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from r2d2.deletion.discrepancies import discrepancies
from r2d2.deletion.movers.delta import DeltaMover
from r2d2.deletion.parents import LakeNow
from r2d2.deletion.verbs.apply import apply
from r2d2.deletion.verbs.fsck import settle
from r2d2.deletion.verbs.purge import purge
from r2d2.deletion.verbs.undo import undo
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import State
from tests.support.deletion.delta_lake import (
    CHILD,
    child_rows,
    planned_delta,
    rows_by_delta_rs,
    write_delta_lake,
)
from tests.support.deletion.races import (
    SEEDS,
    VERBS,
    Raced,
    races_of_two_runners,
    races_with_a_writer,
)
from tests.support.deletion.small_lake import journal_of, times_alone

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Rows = list[tuple[Any, ...]]
LATE: Rows = [(1001, "Rome", 0.25), (1002, "Bern", 0.5)]


def append(table: Path) -> None:
    from deltalake import write_deltalake

    write_deltalake(str(table), late_rows(), mode="append")


def overwrite(table: Path) -> None:
    from deltalake import write_deltalake

    write_deltalake(str(table), late_rows(), mode="overwrite")


def delete(table: Path) -> None:
    from deltalake import DeltaTable

    DeltaTable(str(table)).delete("id % 2 = 0")


def optimize(table: Path) -> None:
    from deltalake import DeltaTable

    DeltaTable(str(table)).optimize.compact()


def vacuum(table: Path) -> None:
    from deltalake import DeltaTable

    DeltaTable(str(table)).vacuum(0, dry_run=False, enforce_retention_duration=False)


def drop(table: Path) -> None:
    shutil.rmtree(table)


def rename(table: Path) -> None:
    table.rename(table.parents[1] / "elsewhere")


def late_rows() -> pa.Table:
    columns = list(zip(*LATE, strict=True))
    return pa.table(dict(zip(("id", "city", "amount"), map(list, columns), strict=True)))


DOES: dict[Callable[[Path], None], Callable[[Rows], Rows]] = {
    append: lambda rows: sorted([*rows, *LATE]),
    overwrite: lambda rows: LATE,
    delete: lambda rows: [row for row in rows if row[0] % 2],
    optimize: lambda rows: rows,
    vacuum: lambda rows: rows,
    drop: lambda rows: [],
}
"""What a table's rows are after each act of a writer."""
MOMENTS = {
    "apply": ("prepare", "changed", "move", "digests", "moved_table"),
    "undo": ("take_over", "back", "live_digests"),
    "purge": ("take_over", "delete", "clear"),
}
"""The mover's calls of each verb: a writer acts just before one."""


@pytest.mark.parametrize("act", DOES, ids=lambda act: act.__name__)
@pytest.mark.parametrize("verb", MOMENTS)
def test_no_row_is_lost_to_a_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, act: Callable[[Path], None]
) -> None:
    """For each moment; what a writer did is as if the table was whole, or as if it was empty."""
    first = tmp_path / "first"
    write_delta_lake(first / "lake")
    for number, moment in enumerate(MOMENTS[verb]):
        folder = tmp_path / str(number)
        shutil.copytree(first, folder, copy_function=shutil.copy2)
        lake, run = folder / "lake", folder / "run"
        plan = planned_delta(lake, run)
        if verb != "apply":
            list(apply(journal_of(lake), plan, run))
        with monkeypatch.context() as patched:
            acted = intrude(patched, moment, lambda lake=lake: act(lake / CHILD))  # type: ignore[misc]
            with_errors(lake, plan, run, verb)
        assert acted, moment
        check_nothing_is_lost(lake, act, moment)


def intrude(patched: pytest.MonkeyPatch, moment: str, act: Callable[[], None]) -> list[bool]:
    """Has the writer act once, before the mover's first call of this name; tells whether it did."""
    call, acted = getattr(DeltaMover, moment), list[bool]()

    def calling(self: DeltaMover, *args: Any) -> Any:
        if not acted:
            acted.append(True)
            act()
        return call(self, *args)

    patched.setattr(DeltaMover, moment, calling)
    return acted


def with_errors(lake: Path, plan: Any, run: Path, verb: str) -> None:
    """Runs a verb, which may end by an error of r2d2's or the system's."""
    try:
        match verb:
            case "apply":
                list(apply(journal_of(lake), plan, run))
            case "undo":
                list(undo(journal_of(lake), [CHILD]))
            case "purge":
                list(purge(journal_of(lake), 0.0))
    except (R2D2Error, OSError):
        pass


def check_nothing_is_lost(lake: Path, act: Callable[[Path], None], moment: str) -> None:
    journal = journal_of(lake)
    with journal.lease("fsck"):
        settle(journal)
    told = [each for each in discrepancies(journal) if not each.needs_person]
    assert told == [], moment
    for deletion in journal.state.deletions.values():
        assert deletion.state not in (State.PURGING,), moment
        if deletion.state in (State.TOMBSTONED, State.MARKED):
            list(undo(journal_of(lake), [CHILD]))
    exists = (lake / CHILD / "_delta_log").exists()
    live = rows_by_delta_rs(lake / CHILD) if exists else []
    held = [d for d in journal_of(lake).state.deletions.values() if d.holds]
    whole, does = child_rows(), DOES[act]
    if held:
        LakeNow(journal.place).check(held[0])
        assert live == does([]), (moment, held[0].state)
    else:
        assert live in (does(whole), sorted([*whole, *does([])])), moment


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raced]:
    """A lake on which a verb races."""
    folder = tmp_path_factory.mktemp("races")
    write_delta_lake(folder / "lake")
    with pytest.MonkeyPatch.context() as patch:
        times_alone(patch)
        plan = planned_delta(folder / "lake", folder / "run")
        yield Raced(folder, CHILD, folder / "lake", plan, visible)


def visible(table: Path) -> set[Any]:
    """The rows that readers see."""
    return set(rows_by_delta_rs(table)) if (table / "_delta_log").exists() else set()


@pytest.mark.parametrize("act", [*DOES, rename], ids=lambda act: act.__name__)
@pytest.mark.parametrize("verb", VERBS)
def test_a_writer_at_any_step_loses_no_commit_and_is_told(
    raced: Raced, verb: str, act: Callable[[Path], None]
) -> None:
    assert races_with_a_writer(raced, verb, act).total() == SEEDS


@pytest.mark.parametrize("other", VERBS)
@pytest.mark.parametrize("verb", VERBS)
def test_of_two_runners_one_wins_and_the_other_says_why(
    raced: Raced, verb: str, other: str
) -> None:
    assert races_of_two_runners(raced, verb, other).total() == SEEDS
