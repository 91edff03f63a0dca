"""rebuild: deleted tables from their recipes, each held against its fingerprint and its promise."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from r2d2.deletion.discrepancies import look, way_out
from r2d2.deletion.holds import settle_parents
from r2d2.deletion.journal import Journal, LeaseError
from r2d2.deletion.movers import mover_of
from r2d2.deletion.movers.mover import Mover, PersonNeededError
from r2d2.deletion.parents import FamilyJob, LakeNow, rebuild_side_by_side
from r2d2.deletion.record import remove_tombstone
from r2d2.deletion.schedule import ScheduledSet, scheduled
from r2d2.deletion.verbs.fsck import put_back
from r2d2.errors import R2D2Error, UsageError
from r2d2.lake.deletions import Deletion, Event, JournalError, State
from r2d2.lake.inventory import layout_from
from r2d2.plan.rebuild import LostTable, RebuiltTable
from r2d2.recipes.run.write_table import free_place, table_at
from r2d2.settings import is_among

MEMORY_BYTES = 1 << 30
"""For the rows of all tables that are rebuilt at one time, and their hashes."""


@dataclass(frozen=True, slots=True)
class Back:
    """A table that came back, and the seconds that its plan promised."""

    deletion: str
    rebuilt: RebuiltTable
    promised_s: float


@dataclass(frozen=True, slots=True)
class RebuildLimits:
    """At most so many processes, which share the memory; in which time tables should be back."""

    processes: int = 1
    memory_bytes: int = MEMORY_BYTES
    deadline_s: float = inf


def rebuild(
    journal: Journal,
    names: Sequence[str],
    to: Path | None,
    limits: RebuildLimits | None = None,
    now: LakeNow | None = None,
) -> Iterator[Back | LostTable]:
    """Each table below a folder, or (None) at its old place in the lake, if it was purged.

    `now` is the lake where it was listed already.

    Raises:
        UsageError: the folder is in the lake.
        R2D2Error: there is no such deletion.
        LeaseError: another runner works on the lake's deletions.
    """
    limits = limits or RebuildLimits()
    require_outside(journal, to)
    deletions = [journal.deletion(name) for name in names]
    wanted = scheduled_set(deletions, to, limits)
    work = _SetRebuild(journal, wanted, to, limits, now or LakeNow(journal.place))
    if to is not None:
        yield from work.outcomes()
        return
    with journal.lease("rebuild"):
        for deletion in deletions:
            if deletion.state is not State.PURGED:
                yield LostTable(deletion.table, _not_into_the_lake(deletion))
        yield from work.outcomes()
        settle_parents(journal)


def require_outside(journal: Journal, to: Path | None) -> None:
    """Passes where no table that is written below the folder comes to lie in the lake.

    Raises:
        UsageError: one would, where the journal does not know of it.
    """
    root = Path(journal.place.storage.url)
    if to is not None and root.is_dir():
        tables = (deletion.table for deletion in journal.state.deletions.values())
        for written in (to, *(to / table for table in tables)):
            if written.resolve().is_relative_to(root):
                told = f"--to {to}: {written} is in the lake {root}"
                back = "without --to, a purged table comes back at its old place"
                raise UsageError(f"{told}: give a folder that is not; {back}")


def refused(
    journal: Journal, deletions: Iterable[Deletion], to: Path | None, now: LakeNow
) -> Iterator[LostTable]:
    """Those that cannot come back, as far as that can be told before a parent is read."""
    for deletion in deletions:
        try:
            _check_place(journal, deletion, to)
            now.parents(deletion).require(deletion.parents)
        except R2D2Error as error:
            yield LostTable(deletion.table, str(error))


def _check_place(journal: Journal, deletion: Deletion, to: Path | None) -> None:
    """Passes where the table may be written there.

    Raises:
        R2D2Error: it may not.
    """
    if to is None and deletion.state is not State.PURGED:
        raise R2D2Error(_not_into_the_lake(deletion))
    if to is None and mover_of(deletion.record["mover"], journal.place).keeps_place:
        where = look(journal, deletion)
        if (wrote := (*where.others, *sorted(where.live))) and not where.may_join:
            told = f"somebody wrote {wrote[0]} where the table was"
            raise R2D2Error(f"{told}: {way_out(deletion, where)}")
        return
    layout = layout_from(deletion.record["entry"]["layout"])
    place = to or Path(journal.place.storage.url)
    if table_at(layout, place, deletion.table) is None:  # one that stands is compared
        free_place(layout, place, deletion.table)


def _not_into_the_lake(deletion: Deletion) -> str:
    told = f"it is {deletion.state.value}"
    if deletion.state in (State.LIVE, State.REBUILT):
        return f"{told}: the table is back in its place already"
    elsewhere = f"`r2d2 rebuild {deletion.id} LAKE --to FOLDER` gives its rows elsewhere"
    if deletion.state is State.GIVEN_UP and not deletion.is_kept:
        return f"{told}, and comes back into the lake no more: {elsewhere}"
    return f"{told}: `r2d2 undo {deletion.id} LAKE --yes` puts it back, {elsewhere}"


def scheduled_set(
    deletions: Sequence[Deletion], to: Path | None, limits: RebuildLimits
) -> ScheduledSet:
    """Those of the tables that can be rebuilt there, with their schedule."""
    fit = [each for each in deletions if to is not None or each.state is State.PURGED]
    return scheduled(fit, limits.processes, limits.deadline_s)


class _SetRebuild:
    """The rebuild of a set: processes write its tables, and this one alone writes the journal."""

    def __init__(
        self,
        journal: Journal,
        wanted: ScheduledSet,
        to: Path | None,
        limits: RebuildLimits,
        now: LakeNow,
    ) -> None:
        self.journal, self.wanted, self.to, self._now = journal, wanted, to, now
        processes = max(1, len(wanted.schedule.orders))
        self._threads = max(1, limits.processes // processes)
        # The hashes of rows take as much as the rows.
        self._memory_bytes = limits.memory_bytes // (2 * processes)
        self._lost = list[LostTable]()
        self._begun: dict[int, tuple[list[Deletion], list[ExitStack]]] = {}

    def outcomes(self) -> Iterator[Back | LostTable]:
        """What comes of each table, as it comes."""
        with ExitStack() as self._open:
            orders = self.wanted.schedule.orders
            for family, (number, made) in rebuild_side_by_side(orders, self._begin):
                yield from self._taken_lost()
                deletions, folders = self._begun[family]
                yield self._ended(deletions[number], folders[number], made)
            yield from self._taken_lost()

    def _taken_lost(self) -> Iterator[LostTable]:
        while self._lost:
            yield self._lost.pop(0)

    def _begin(self, family: int) -> FamilyJob | None:
        """The family's job, with a folder for each table; what cannot begin is lost."""
        deletions, folders, stacks = list[Deletion](), list[Path](), list[ExitStack]()
        for deletion in self.wanted.families[family]:
            with ExitStack() as stack:
                try:
                    found, folder = self._folder(deletion, stack)
                except R2D2Error as error:
                    self._lost.append(LostTable(deletion.table, str(error)))
                    continue
                deletions.append(found)
                folders.append(folder)
                # An error of the whole run reaches each folder, so that none is taken for whole.
                stacks.append(self._open.enter_context(stack.pop_all()))
        self._begun[family] = deletions, stacks
        if not deletions:
            return None
        try:
            parents = self._now.parents(deletions[0]).of_parents(deletions[0].parents)
        except R2D2Error as error:
            self._lost += [LostTable(each.table, str(error)) for each in deletions]
            return None
        limits = self._threads, self._memory_bytes
        return FamilyJob(parents, tuple(deletions), tuple(folders), *limits)

    def _folder(self, deletion: Deletion, stack: ExitStack) -> tuple[Deletion, Path]:
        """The deletion under this runner, and the folder below which its table is written.

        Raises:
            R2D2Error: somebody wrote where the table was.
        """
        place = self.journal.place
        if self.to is not None:
            return deletion, stack.enter_context(nullcontext(self.to))
        mover = self._mover(deletion)
        if not mover.keeps_place:
            return deletion, stack.enter_context(place.building())
        _check_place(self.journal, deletion, None)
        fresh = replace(deletion, epoch=self.journal.epoch)
        return fresh, stack.enter_context(mover.rebuilding(fresh))

    def _mover(self, deletion: Deletion) -> Mover:
        return mover_of(deletion.record["mover"], self.journal.place)

    def _ended(
        self, deletion: Deletion, folder: ExitStack, made: RebuiltTable | LostTable
    ) -> Back | LostTable:
        """The table as it is told, once its files are in the lake and the journal knows of them."""
        if isinstance(made, LostTable):
            return made if self.to is not None else self._with_way_out(deletion, made)
        try:
            folder.close()
            if self.to is None:
                self._journal(deletion)
        except (LeaseError, JournalError):
            raise
        except R2D2Error as error:
            return LostTable(deletion.table, str(error))
        return Back(deletion.id, made, deletion.record["entry"]["rebuild_p95_s"])

    def _with_way_out(self, deletion: Deletion, lost: LostTable) -> LostTable:
        """The same, with what to do where somebody wrote at the table's old place."""
        where = look(self.journal, deletion)
        if not (where.others or where.live) or self._mover(deletion).keeps_place:
            return lost
        return replace(lost, problem=f"{lost.problem}; {way_out(deletion, where)}")

    def _journal(self, deletion: Deletion) -> None:
        journal, mover = self.journal, self._mover(deletion)
        if not mover.keeps_place:
            journal.append(Event.REBUILT, deletion.id)
            remove_tombstone(journal.place, deletion.table)
            return
        moved = {path: list(each) for path, each in mover.digests(deletion).items()}
        journal.append(Event.TOMBSTONED, deletion.id, {"moved": moved})
        journal.append(Event.RESTORING, deletion.id)
        restored = journal.state.deletions[deletion.id]
        try:
            put_back(journal, mover, replace(restored, epoch=deletion.epoch))
        except PersonNeededError as error:
            stays = journal.state.deletions[deletion.id]
            told = f"it stays deleted, its files in quarantine: {error}"
            way = way_out(stays, look(journal, stays))
            raise R2D2Error(f"{told}; {way}") from error


def left_out(journal: Journal, under: str | None, plan: str | None) -> int:
    """How many of the tables that are asked for by folder or plan were given up."""
    given_up = [d for d in journal.state.deletions.values() if d.state is State.GIVEN_UP]
    return sum(_is_asked(deletion, under, plan) for deletion in given_up)


def _is_asked(deletion: Deletion, under: str | None, plan: str | None) -> bool:
    within = under is not None and is_among(deletion.table, under)
    return within or (plan is not None and deletion.record["plan_sha256"] == plan)


def chosen(
    journal: Journal, names: Sequence[str], under: str | None, plan: str | None
) -> list[str]:
    """The ids of deletions by id or table, of tables in a folder, or of a plan by its SHA-256.

    Raises:
        UsageError: one is no deletion, or there is none.
    """
    ids = [journal.deletion(name).id for name in names]
    known = journal.state.deletions.values()
    ids += [each.id for each in known if each.holds and _is_asked(each, under, plan)]
    if not ids:
        asked = [f"below {under}"] if under is not None else []
        asked += [f"by the plan {plan[:12]}"] if plan is not None else []
        if not asked:
            raise UsageError("name deletions by id or table, or give --under or --all-of")
        told = f"no table is deleted {' or '.join(asked)} in {journal.place.storage.url}"
        raise UsageError(f"{told}; `r2d2 status LAKE` lists all that are")
    return list(dict.fromkeys(ids))
