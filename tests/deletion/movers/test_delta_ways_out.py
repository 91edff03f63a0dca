"""Whatever an owner commits to a Delta table at any moment of its deletion, messages lead out.

Of each state of the journal and each commit, the commands that the messages name are run as they
are told: within three the journal and the files agree, and no row that somebody committed is lost.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.deletion.discrepancies import look
from r2d2.deletion.movers.delta import DeltaMover
from r2d2.deletion.movers.delta_log import DeltaLogs
from r2d2.deletion.parents import LakeNow
from r2d2.deletion.place import LocalPlace
from r2d2.deletion.verbs.apply import apply
from r2d2.deletion.verbs.purge import purge
from r2d2.deletion.verbs.release import NotGivenUp, would_release
from r2d2.deletion.verbs.undo import undo
from r2d2.formats.delta.actions import key_of
from r2d2.lake.deletions import State
from tests.support.deletion.delta_lake import (
    CHILD,
    child_rows,
    planned_delta,
    rows_by_delta_rs,
    write_delta_lake,
)
from tests.support.deletion.small_lake import journal_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
LATE = pa.table({"id": [1001, 1002], "city": ["Rome", "Bern"], "amount": [0.25, 0.5]})
MOST_COMMANDS = 3
COMMAND = re.compile(r"`r2d2 ([^`]+)`")
Act = Callable[[Path], object]


def append(table: Path) -> None:
    written(table, "append")


def overwrite(table: Path) -> None:
    written(table, "overwrite")


def restore(table: Path) -> None:
    opened(table).restore(1)


def restore_an_older_version(table: Path) -> None:
    opened(table).restore(0)


def restore_and_append(table: Path) -> None:
    restore(table)
    append(table)


def drop(table: Path) -> None:
    shutil.rmtree(table)


def recreate(table: Path) -> None:
    drop(table)
    written(table, "append")


def add_a_column(table: Path) -> None:
    from deltalake.schema import Field, PrimitiveType

    opened(table).alter.add_columns([Field("more", PrimitiveType("string"))])


def replace_the_schema(table: Path) -> None:
    from deltalake import write_deltalake

    mine = pa.table({"mine": pa.array([], pa.int64())})
    write_deltalake(str(table), mine, mode="overwrite", schema_mode="overwrite", partition_by=[])


def delete_by_a_vector(table: Path) -> None:
    """What a writer with deletion vectors commits, by hand: six rows of a file go."""
    written(table, "append", pa.concat_tables([LATE.slice(0, 1)] * 30))
    (last,) = sorted((table / "_delta_log").glob("*.json"))[-1:]
    entries = [json.loads(line) for line in last.read_text().splitlines()]
    add = next(entry["add"] for entry in entries if "add" in entry)
    vector = {"storageType": "i", "pathOrInlineDv": SIX_ROWS, "sizeInBytes": 44, "cardinality": 6}
    metadata = {**json.loads(metadata_text(table)), "configuration": VECTORS}
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7}
    protocol |= {name: ["deletionVectors"] for name in ("readerFeatures", "writerFeatures")}  # type: ignore[dict-item]
    removed = {"path": add["path"], "dataChange": True, "deletionTimestamp": 1}
    removed |= {name: add[name] for name in ("partitionValues", "size")}
    commit = [
        {"commitInfo": {"operation": "DELETE", "isBlindAppend": False}},
        {"protocol": protocol},
        {"metaData": metadata},
        {"remove": removed},
        {"add": {**add, "deletionVector": vector}},
    ]
    path = last.with_name(f"{int(last.stem) + 1:020d}.json")
    path.write_text("\n".join(json.dumps(entry) for entry in commit))


SIX_ROWS = "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"
VECTORS = {"delta.enableDeletionVectors": "true"}


def metadata_text(table: Path) -> str:
    """The newest metadata of the log."""
    commits = sorted((table / "_delta_log").glob("*.json"))
    lines = (json.loads(line) for path in commits for line in path.read_text().splitlines())
    return json.dumps([entry["metaData"] for entry in lines if "metaData" in entry][-1])


def delete(table: Path) -> None:
    append(table)
    opened(table).delete("id % 2 = 0")


def optimize(table: Path) -> None:
    append(table)
    append(table)
    opened(table).optimize.compact()


def vacuum(table: Path) -> None:
    opened(table).vacuum(0, dry_run=False, enforce_retention_duration=False)


def set_a_property(table: Path) -> None:
    opened(table).alter.set_table_properties({"delta.logRetentionDuration": "interval 99 days"})


def opened(table: Path) -> Any:
    from deltalake import DeltaTable

    return DeltaTable(str(table))


def written(table: Path, mode: Any, rows: pa.Table = LATE) -> None:
    from deltalake import write_deltalake

    write_deltalake(str(table), rows, mode=mode)


ACTS: tuple[Act, ...] = (
    append,
    overwrite,
    restore,
    restore_an_older_version,
    restore_and_append,
    drop,
    recreate,
    add_a_column,
    replace_the_schema,
    delete_by_a_vector,
    delete,
    optimize,
    vacuum,
    set_a_property,
)
STATES = ("marked", "removed", "tombstoned", "restoring", "purging", "purged")
"""`marked` is before the commit that removes the files, `removed` after it."""
RESTORES = (restore, restore_an_older_version, restore_and_append)
BOTH_FIRST = "R2D2_RACE_SEEDS" in os.environ
"""Whether each walk begins with `fsck` and once more with `undo`; else these take turns."""


class Begun:
    """A lake with a deletion in each state, each kept to be copied to the place that plans name."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lake = folder, folder / "lake"
        write_delta_lake(self.lake)
        plan = planned_delta(self.lake, folder / "run")
        self._keep("live")

        def apply_() -> Iterator[object]:
            return apply(journal_of(self.lake), plan, folder / "run")

        def purge_() -> Iterator[object]:
            return purge(journal_of(self.lake), 0.0)

        list(apply_())
        self._keep("tombstoned")
        stopped(DeltaMover, "back", lambda: undo(journal_of(self.lake), [CHILD]))
        self._keep("restoring")
        self.begin("tombstoned")
        stopped(DeltaMover, "delete", purge_, after=1)
        self._keep("purging")
        self.begin("tombstoned")
        list(purge_())
        self._keep("purged")
        for state, step in (("marked", "move"), ("removed", "digests")):
            shutil.rmtree(self.lake)
            shutil.rmtree(folder / "run")
            write_delta_lake(self.lake)
            plan = planned_delta(self.lake, folder / "run")
            stopped(DeltaMover, step, apply_)
            self._keep(state)

    def _keep(self, state: str) -> None:
        shutil.copytree(self.lake, self.folder / state, copy_function=shutil.copy2)

    def begin(self, state: str) -> None:
        shutil.rmtree(self.lake)
        shutil.copytree(self.folder / state, self.lake, copy_function=shutil.copy2)


def stopped(mover: type, step: str, verb: Callable[[], Iterator[object]], after: int = 0) -> None:
    """Runs a verb that an error ends at a step of its mover."""
    call, calls = getattr(mover, step), list[str]()

    def calling(self: Any, *args: Any) -> Any:
        if len(calls) == after:
            raise OSError("stopped")
        calls.append(step)
        return call(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mover, step, calling)
        with pytest.raises(OSError, match="stopped"):
            list(verb())


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    """The lake in each state."""
    return Begun(tmp_path_factory.mktemp("ways out"))


@pytest.mark.parametrize("state", STATES)
def test_the_commands_that_messages_name_lead_out_of_every_state(
    begun: Begun, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, act in enumerate(ACTS):
        begun.begin(state)
        if not may_act(act, begun.lake / CHILD):
            assert act in RESTORES, (state, act.__name__)
            continue
        shutil.rmtree(begun.folder / "acted", ignore_errors=True)
        shutil.copytree(begun.lake, begun.folder / "acted", copy_function=shutil.copy2)
        (deletion,) = journal_of(begun.lake).state.deletions
        both = ["fsck LAKE --yes", f"undo {deletion} LAKE --yes"]
        for first in both if BOTH_FIRST else both[number % 2 :][:1]:
            begun.begin("acted")
            check_the_way_out(begun, first, f"{state} × {act.__name__}", state == "marked", capsys)


@pytest.mark.parametrize("state", ["removed", "restoring"])
def test_a_table_that_its_owner_wrote_over_half_way_outlives_any_vacuum(
    begun: Begun, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    begun.begin(state)
    overwrite(begun.lake / CHILD)
    main(["fsck", str(begun.lake), "--yes"])
    vacuum(begun.lake / CHILD)
    (deletion,) = journal_of(begun.lake).state.deletions.values()
    where = look(journal_of(begun.lake), deletion)
    assert (deletion.state, where.gone) == (State.TOMBSTONED, frozenset())
    assert where.moved


@pytest.mark.parametrize("act", [overwrite, recreate])
@pytest.mark.parametrize("state", ["removed", "restoring"])
def test_a_marked_table_that_nothing_gives_back_is_given_up_for_its_owners(
    begun: Begun, state: str, act: Act, capsys: pytest.CaptureFixture[str]
) -> None:
    begun.begin(state)
    act(begun.lake / CHILD)
    rows = rows_at(begun.lake / CHILD)
    pq.write_table(pq.read_table(begun.lake / "whole.parquet")[:9], begun.lake / "whole.parquet")
    assert main(["fsck", str(begun.lake), "--yes"]) == 3
    told = capsys.readouterr().out
    (deletion,) = journal_of(begun.lake).state.deletions.values()
    assert deletion.state is State.MARKED
    assert f"`r2d2 release {deletion.id} LAKE --yes` keeps what is there now" in told
    assert main(["release", deletion.id, str(begun.lake), "--yes"]) == 0
    (deletion,) = journal_of(begun.lake).state.deletions.values()
    assert (deletion.state, rows_at(begun.lake / CHILD)) == (State.GIVEN_UP, rows)
    assert main(["fsck", str(begun.lake)]) == 0


@pytest.mark.parametrize("act", [append, None])
def test_a_marked_table_that_can_be_put_back_is_not_given_up(begun: Begun, act: Act | None) -> None:
    begun.begin("removed")
    if act is not None:
        act(begun.lake / CHILD)
    journal = journal_of(begun.lake)
    *_, told = would_release(journal, [*journal.state.deletions])
    assert isinstance(told, NotGivenUp)
    assert told.reason == "it is marked: `r2d2 fsck` settles that first"


def may_act(act: Act, table: Path) -> bool:
    """Whether the writer does it: delta-rs restores no version whose files are gone."""
    from deltalake.exceptions import DeltaError

    try:
        act(table)
    except DeltaError as error:
        return "restore" not in str(error)
    return True


def check_the_way_out(
    begun: Begun, first: str, told: str, was_live: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere, before = begun.folder / "elsewhere", rows_at(begun.lake / CHILD)
    shutil.rmtree(elsewhere, ignore_errors=True)
    commands, done = [first], list[str]()
    while commands:
        done.append(commands.pop(0))
        places = {"LAKE": str(begun.lake), "FOLDER": str(elsewhere)}
        code = main([places.get(word, word) for word in done[-1].split()])
        printed = capsys.readouterr()
        assert code == 0 or done[-1] in ("fsck LAKE --yes", first), (told, done, printed)
        named = dict.fromkeys(COMMAND.findall(printed.out)) if code else {}
        commands += [each for each in named if each not in done + commands]
    assert len(done) <= MOST_COMMANDS, (told, done)
    assert main(["fsck", str(begun.lake)]) == 0, (told, done, capsys.readouterr())
    capsys.readouterr()
    live, journal = rows_at(begun.lake / CHILD), journal_of(begun.lake)
    assert set(before) <= set(live), (told, done)
    (deletion,) = journal.state.deletions.values()
    assert deletion.state not in (State.MARKED, State.PURGING), (told, done)
    if deletion.holds:
        LakeNow(journal.place).check(deletion)
    elif not was_live and not set(child_rows()) <= set(live):
        assert set(rows_at(elsewhere / CHILD)) == set(child_rows()), (told, done)
    left = (path for path in (begun.lake / "_r2d2/quarantine").rglob("*") if path.is_file())
    assert deletion.state is not State.LIVE or not list(left), (told, done)


def rows_at(table: Path) -> list[tuple[Any, ...]]:
    """The rows that a reader sees, as far as they have a number, a city and an amount."""
    if not (table / "_delta_log").exists():
        return []
    found = opened(table)
    if "deletionVectors" in (found.protocol().reader_features or ()):
        # delta-rs does not read them: the log's entries stand for their rows.
        log = DeltaLogs(LocalPlace(table.parent)).newest(table.name)
        assert log is not None
        return [key_of(add) for add in log.adds]
    return rows_by_delta_rs(table) if '"id"' in found.schema().to_json() else []
