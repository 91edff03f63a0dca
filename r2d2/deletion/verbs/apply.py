"""apply: the tables of an approved plan are moved into quarantine, each compared with its rebuild.

Of each table, in this order: the lake is held against the plan; the record and the mark are
journalled, and its parents are held from then on; it is moved; both places are listed again; its
recipe is run, and every value compared with what was moved; it is tombstoned. A table that is not
as planned is refused, or put back, and the others go on. An error of the storage ends the run: the
next verb settles what is left.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from r2d2.deletion import holds, record
from r2d2.deletion.catalogue import Catalogue
from r2d2.deletion.discrepancies import Discrepancy, discrepancies
from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import mover_for
from r2d2.deletion.movers.mover import (
    Moved,
    MoveError,
    Mover,
    PersonNeededError,
    Whereabouts,
)
from r2d2.deletion.record import write_tombstone
from r2d2.deletion.verbs.approve import approval_of
from r2d2.deletion.verbs.fsck import put_back, settle
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import HOME, Data, Deletion, Event, State
from r2d2.lake.exports import is_marker
from r2d2.model import Table
from r2d2.plan.check import check_plan
from r2d2.plan.graph_file import run_of
from r2d2.plan.lake_now import ChangesSince, compare_lake
from r2d2.recipes.json import from_data
from r2d2.recipes.run import RecipeContext
from r2d2.recipes.run.residuals import ResidualFolder
from r2d2.recipes.run.trial import try_again
from r2d2.settings.deletion import RETENTION_DAYS


@dataclass(frozen=True, slots=True)
class Applied:
    """A table that is in quarantine now; `again`: it was there already."""

    table: str
    deletion: str
    size_bytes: int
    seconds: float
    again: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A table that stays live, and why."""

    table: str
    reason: str


def would_apply(
    journal: Journal, plan: Data, run: Path, catalogue: Catalogue | None = None
) -> Iterator[Applied | Refused | Discrepancy]:
    """What `apply` would do now, what fsck finds first; nothing is written.

    Raises:
        R2D2Error: the plan does not hold, or the lake cannot be listed.
    """
    run = _checked(plan, run)
    yield from discrepancies(journal)
    for entry, refused in _judged(journal, plan, run, catalogue)[1]:
        yield refused or _as(entry)


def apply(
    journal: Journal,
    plan: Data,
    run: Path,
    retention_days: float = RETENTION_DAYS,
    hold_parents: bool = False,
    catalogue: Catalogue | None = None,
) -> Iterator[Applied | Refused | Discrepancy]:
    """Moves the plan's tables, one after the other; what fsck found comes first.

    For so many days nobody else's clean-up may take what was moved. `hold_parents`: Delta parents
    refuse deletes from then on. The catalogue's own entry of a table is journalled with it.

    Raises:
        NotApprovedError: nobody approved this plan.
        LeaseError: another runner works on the lake's deletions, or took this one's place.
        R2D2Error, OSError: the plan does not hold, or a step failed: the run ends.
    """
    run = _checked(plan, run)
    approval = approval_of(journal, plan)
    with journal.lease("apply"):
        yield from settle(journal)
        tables, judged = _judged(journal, plan, run, catalogue)
        for entry, done in judged:
            mover = mover_for(entry["layout"]["format"], journal.place, retention_days)
            noted = {} if catalogue is None else {"catalogue": catalogue.noted(entry)}
            told = {"approval": approval.number, **noted}
            done = done or _applied(journal, mover, plan, entry, tables, run, told)
            yield done
            if hold_parents and isinstance(done, Applied):
                yield from _holding(journal, journal.state.deletions[done.deletion])


def _holding(journal: Journal, deletion: Deletion) -> Iterator[Discrepancy]:
    for parent, reason in holds.hold_parents(journal, deletion):
        told = f"it is not held by delta.appendOnly: {reason}"
        yield Discrepancy(deletion.id, parent, told, "see to it that its rows stay")


def _judged(
    journal: Journal, plan: Data, run: Path, catalogue: Catalogue | None
) -> tuple[Mapping[str, Table], Iterator[tuple[Data, Applied | Refused | None]]]:
    """The lake's tables, and each that is to go with why it does not, None where it may."""
    since = compare_lake(plan, run)
    tables = {table.location: table for table in since.now.tables}
    owners, undone = _tables_of_files(since), _undone(journal, plan)
    since = _but_undone(plan, since, undone, tables)
    unwanted = _unwanted(journal, plan, undone)

    def judged() -> Iterator[tuple[Data, Applied | Refused | None]]:
        for entry in _deleted(plan):
            known = _known(journal, plan, entry) or unwanted.get(entry["table"])
            refused = known or _refusal(journal, entry, since, owners, tables)
            told = None if refused or catalogue is None else catalogue.reason_against(entry)
            yield entry, refused if told is None else Refused(entry["table"], told)

    return tables, judged()


def _checked(plan: Data, run: Path) -> Path:
    if broken := check_plan(plan, run):
        told = f"{broken[0][0]}: {broken[0][1]}"
        raise R2D2Error(f"the plan does not hold: {told}; `r2d2 check` tells all")
    return run_of(plan, run)


def _deleted(plan: Data) -> list[Data]:
    return [entry for entry in plan["tables"] if entry["choice"] == "delete"]


def _as(entry: Data) -> Applied:
    return Applied(entry["table"], "", entry["size_bytes"], entry["rebuild_p95_s"])


def _known(journal: Journal, plan: Data, entry: Data) -> Applied | None:
    """The deletion of this very plan that is done already."""
    deletion = journal.of_table(entry["table"])
    if deletion is None or deletion.record["plan_sha256"] != plan["sha256"]:
        return None
    if deletion.state in (State.TOMBSTONED, State.PURGED):
        return replace(_as(entry), deletion=deletion.id, again=True)
    return None


def _tables_of_files(since: ChangesSince) -> dict[str, set[str]]:
    """The tables that have each file of the lake, as it is now."""
    found: dict[str, set[str]] = {}
    for table in since.now.tables:
        for file in table.files:
            found.setdefault(file.path, set()).add(table.location)
    return found


def _refusal(
    journal: Journal,
    entry: Data,
    since: ChangesSince,
    owners: Mapping[str, set[str]],
    tables: Mapping[str, Table],
) -> Refused | None:
    """Why the table must stay as things are now, None where it may go."""
    name = entry["table"]
    if (deletion := journal.of_table(name)) is not None:
        told = f"it is {deletion.state.value} already, by {deletion.id}"
        is_gone = deletion.state is State.PURGED
        back = "rebuild {} LAKE" if is_gone else "undo {} LAKE --yes"
        told += f"; `r2d2 {back.format(deletion.id)}` brings that one back"
        return Refused(name, f"{told}, `r2d2 release {deletion.id} LAKE --yes` gives it up")
    if (child := journal.state.that_needs(name)) is not None:
        return Refused(name, f"{child.table}, which is deleted, is rebuilt from it")
    for table in (name, *entry["parents"]):
        if journal.of_table(table) is not None:
            return Refused(name, f"its parent {table} is deleted")
        if changes := since.by_table.get(table):
            return Refused(name, changes[0][1])
    for path in (*entry["inside"], *(path for path, *_ in entry["files"])):
        if others := owners.get(path, set()) - {name}:
            return Refused(name, f"{path} is of the table {min(others)}, too")
        if path.startswith(f"{HOME}/"):
            return Refused(name, f"{path} is r2d2's own")
    for path in since.now.listing.links:
        if path.startswith(f"{name}/"):
            return Refused(name, f"{path} is a link")
    mover = mover_for(entry["layout"]["format"], journal.place)
    if (reason := mover.reason_against(entry, tables[name])) is not None:
        return Refused(name, reason)
    for path in () if mover.keeps_place else entry["inside"]:
        if not is_marker(path.rpartition("/")[2]):
            told = "lies in its folder and is not of it: it would go along"
            return Refused(name, f"{path} {told}; move it away, and run `r2d2 find` again")
    return None


def _undone(journal: Journal, plan: Data) -> dict[str, Deletion]:
    """The deletions by this plan that were taken back, the last one of each table."""
    found = [
        deletion
        for deletion in journal.state.deletions.values()
        if deletion.undone_in and deletion.record["plan_sha256"] == plan["sha256"]
    ]
    return {each.table: each for each in sorted(found, key=lambda each: each.undone_in)}


def _unwanted(journal: Journal, plan: Data, undone: Mapping[str, Deletion]) -> dict[str, Refused]:
    """The tables that somebody put back since the plan was approved."""
    approval = journal.state.approvals.get(plan["sha256"])
    told = "it was put back since the plan was approved"
    return {
        table: Refused(table, f"{told}: `r2d2 approve` again, if it is to go after all")
        for table, deletion in undone.items()
        if approval is not None and approval.number < deletion.undone_in
    }


def _but_undone(
    plan: Data, since: ChangesSince, undone: Mapping[str, Deletion], tables: Mapping[str, Table]
) -> ChangesSince:
    """The changes without those that are no more than an undo, which compared the content."""
    same = {
        entry["table"]
        for entry in _deleted(plan)
        if entry["table"] in undone
        and all(rule == "lake-changed" for rule, _ in since.by_table[entry["table"]])
        and _is_as_undone(undone[entry["table"]], entry, tables.get(entry["table"]))
    }
    by_table = {table: found for table, found in since.by_table.items() if table not in same}
    return replace(since, by_table=by_table)


def _is_as_undone(undone: Deletion, entry: Data, now: Table | None) -> bool:
    files = {} if now is None else {f.path: [f.size_bytes, f.version] for f in now.files}
    planned = {path: size for path, size, _ in entry["files"]}
    return planned == {path: size for path, (size, _) in files.items()} and all(
        told == list(undone.back.get(path, ())) for path, told in files.items()
    )


def _applied(
    journal: Journal,
    mover: Mover,
    plan: Data,
    entry: Data,
    tables: Mapping[str, Table],
    run: Path,
    noted: Data,
) -> Applied | Refused:
    child = tables[entry["table"]]
    parents = {parent: tables[parent] for parent in entry["parents"]}
    try:
        move = {"mover": mover.name, "move": mover.noted(entry, child)}
    except MoveError as error:
        return Refused(entry["table"], str(error))
    data = record.record_of(plan, entry, parents, noted) | move
    deletion = Deletion(uuid4().hex, State.MARKED, journal.now(), journal.epoch, data)
    record.keep(journal.place, deletion, run)
    mover.prepare(deletion)
    journal.append(Event.MARKED, deletion.id, data)
    try:
        if changed := mover.changed(child):
            raise MoveError(f"{changed} changed since the lake was listed")
        mover.move(deletion)
        _check_moved(mover.look(deletion))
        moved = mover.digests(deletion)
        _check_known(entry, moved)
        seconds = _compared(journal, run, entry, mover.moved_table(deletion, child), parents)
        _check_moved(mover.look(deletion))
    except MoveError as error:
        try:
            put_back(journal, mover, deletion)
        except PersonNeededError as reason:
            told = f"{error}; it is not back yet: {reason}"
            return Refused(deletion.table, f"{told}: `r2d2 fsck LAKE --yes` looks again")
        return Refused(deletion.table, f"{error}; it was put back")
    journal.append(Event.TOMBSTONED, deletion.id, {"moved": {p: list(m) for p, m in moved.items()}})
    write_tombstone(journal.place, journal.state.deletions[deletion.id])
    return Applied(deletion.table, deletion.id, entry["size_bytes"], seconds)


def _check_moved(where: Whereabouts) -> None:
    """Passes where all files are in quarantine, and nothing is at the old place.

    Raises:
        MoveError: somebody wrote there, or took something away.
    """
    if where.gone:
        raise MoveError(f"{sorted(where.gone)[0]} vanished while it was moved")
    if wrote := (*sorted(where.live), *where.others):
        raise MoveError(f"somebody wrote {wrote[0]} while the table was moved")


def _check_known(entry: Data, moved: Moved) -> None:
    """Passes where what was moved is what the plan lists.

    Raises:
        MoveError: there is another file, or one has another size.
    """
    sizes = {path: size for path, size, _ in entry["files"]}
    for path, (size, *_) in moved.items():
        if path not in sizes and path not in entry["inside"]:
            raise MoveError(f"somebody wrote {path} while the table was moved")
        if sizes.get(path, size) != size:
            raise MoveError(f"somebody wrote to {path} while the table was moved")


def _compared(
    journal: Journal, run: Path, entry: Data, child: Table, parents: Mapping[str, Table]
) -> float:
    """The seconds in which the recipe gives every value of the table that was moved.

    Raises:
        MoveError: it does not, or not the rows of the plan's fingerprint.
    """
    context = RecipeContext(journal.place.storage, parents, ResidualFolder(run))
    trial = try_again(context, child, from_data(entry["recipe"]))
    if trial.problem is not None:
        raise MoveError(f"its recipe does not give what was moved: {trial.problem}")
    if trial.fingerprint != entry["evidence"]["fingerprint"]:
        raise MoveError("what was moved is not the table that the plan saw")
    return trial.seconds
