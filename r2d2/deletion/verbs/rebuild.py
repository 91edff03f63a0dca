"""rebuild: deleted tables from their recipes, each held against its fingerprint and its promise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import mover_of
from r2d2.deletion.movers.mover import Mover, PersonNeededError
from r2d2.deletion.parents import LakeNow, families
from r2d2.deletion.tombstone import remove_tombstone
from r2d2.deletion.verbs.fsck import look, put_back, way_out
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import Deletion, Event, State
from r2d2.plan.rebuild import LostTable, RebuiltTable
from r2d2.settings import is_among


@dataclass(frozen=True, slots=True)
class Back:
    """A table that came back, and the seconds that its plan promised."""

    deletion: str
    rebuilt: RebuiltTable
    promised_s: float


def rebuild(journal: Journal, names: Sequence[str], to: Path | None) -> Iterator[Back | LostTable]:
    """Each table below a folder, or (None) at its old place in the lake, if it was purged.

    Raises:
        R2D2Error: there is no such deletion.
        LeaseError: another runner works on the lake's deletions.
    """
    deletions = [journal.deletion(name) for name in names]
    now = LakeNow(journal.place)
    if to is not None:
        for deletion, made in now.rebuild_all(deletions, to):
            yield _told(deletion, made)
        return
    with journal.lease("rebuild"):
        for deletion in deletions:
            if deletion.state is not State.PURGED:
                name = deletion.id
                told = f"it is {deletion.state.value}: `r2d2 undo {name} LAKE --yes` puts it back"
                yield LostTable(deletion.table, f"{told}, or give --to")
                continue
            mover = mover_of(deletion.record["mover"], journal.place)
            if mover.keeps_place:
                yield _back_into_place(journal, mover, now, deletion)
                continue
            with journal.place.building() as lake:
                back = _back(now, deletion, lake)
            if isinstance(back, Back):
                journal.append(Event.REBUILT, deletion.id)
                remove_tombstone(journal.place, deletion.table)
            yield back


def _back_into_place(
    journal: Journal, mover: Mover, now: LakeNow, deletion: Deletion
) -> Back | LostTable:
    """The table in quarantine first, where it is deleted and not purged, and back from there."""
    where = look(journal, deletion)
    if (wrote := (*where.others, *sorted(where.live))) and not where.may_join:
        told = f"somebody wrote {wrote[0]} where the table was"
        return LostTable(deletion.table, f"{told}: {way_out(deletion, where)}")
    fresh = replace(deletion, epoch=journal.renew())
    with mover.rebuilding(fresh) as folder:
        back = _back(now, fresh, folder)
    if isinstance(back, Back):
        moved = {path: list(each) for path, each in mover.digests(fresh).items()}
        journal.append(Event.TOMBSTONED, deletion.id, {"moved": moved})
        journal.append(Event.RESTORING, deletion.id)
        restored = journal.state.deletions[deletion.id]
        try:
            put_back(journal, mover, replace(restored, epoch=fresh.epoch))
        except PersonNeededError as error:
            stays = journal.state.deletions[deletion.id]
            told = f"it stays deleted, its files in quarantine: {error}"
            return LostTable(deletion.table, f"{told}; {way_out(stays, look(journal, stays))}")
    return back


def _back(now: LakeNow, deletion: Deletion, to: Path) -> Back | LostTable:
    ((_, back),) = now.rebuild_all([deletion], to)
    return _told(deletion, back)


def _told(deletion: Deletion, back: RebuiltTable | LostTable) -> Back | LostTable:
    if isinstance(back, LostTable):
        return back
    return Back(deletion.id, back, deletion.record["entry"]["rebuild_p95_s"])


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a table will be back, by the plans' promises, and whether that is in time."""

    table: str
    after_s: float
    in_time: bool


def forecast(deletions: Sequence[Deletion], deadline_s: float) -> list[Forecast]:
    """The tables in the order in which they come back.

    Those of one parent come together, after the longest promise among them; families that are ready
    soonest for each of their tables come first, so that as many as can be are in time.
    """
    found, after_s = list[Forecast](), 0.0
    for family in in_order(deletions):
        after_s += _family_s(family)
        for deletion in family:
            found.append(Forecast(deletion.table, after_s, after_s <= deadline_s))
    return found


def in_order(deletions: Sequence[Deletion]) -> list[list[Deletion]]:
    """The families, the one first that takes the least time for each of its tables."""
    return sorted(families(deletions), key=lambda family: _family_s(family) / len(family))


def _family_s(family: Sequence[Deletion]) -> float:
    return float(max(deletion.record["entry"]["rebuild_p95_s"] for deletion in family))


def chosen(
    journal: Journal, names: Sequence[str], under: str | None, plan: str | None
) -> list[str]:
    """The ids of deletions by id or table, of tables in a folder, or of a plan by its SHA-256.

    Raises:
        R2D2Error: one is no deletion, or there is none.
    """
    ids = [journal.deletion(name).id for name in names]
    for deletion in journal.state.deletions.values():
        within = under is not None and is_among(deletion.table, under)
        of_plan = plan is not None and deletion.record["plan_sha256"] == plan
        if deletion.holds and (within or of_plan):
            ids.append(deletion.id)
    if not ids:
        raise R2D2Error("no deletion is named so; `r2d2 status` lists all")
    deletions = [journal.state.deletions[each] for each in dict.fromkeys(ids)]
    return [deletion.id for family in in_order(deletions) for deletion in family]
