"""Tables made anew from their parents as these are now: by this process, and by others beside it.

A family is read once for all of its tables; what does not come back together is rebuilt alone. A
process that ends (killed for its memory, say) is replaced, and asked for its tables one by one: so
only the one at which a process ends is lost. The processes write tables; who started them journals.
"""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.deletion import record
from r2d2.deletion.place import LakePlace
from r2d2.deletion.place_objects import place_of
from r2d2.deletion.schedule import Shares
from r2d2.engines.pickling import dumps, loads
from r2d2.errors import R2D2Error, RecipeRunError
from r2d2.formats.errors import table_problem
from r2d2.lake.deletions import Data, Deletion, without_home
from r2d2.lake.groups import grouped_by_files
from r2d2.lake.inventory import Inventory, described, take_inventory
from r2d2.model import FileGroup, Format
from r2d2.plan.check import settings_of_find
from r2d2.plan.rebuild import (
    LostTable,
    ParentsNow,
    RebuiltTable,
    made_again,
    rebuild_family,
    rebuild_table,
)
from r2d2.processes import ChildProcess, answer_requests
from r2d2.recipes.grammar import Residual
from r2d2.storage.local import Listing, Storage, read_whole
from r2d2.storage.output import json_text
from r2d2.storage.scratch import end_on_signals, end_quietly

_PROGRAM = "from r2d2.deletion.parents import serve; serve()"
PATIENCE_S = 10
Outcome: TypeAlias = tuple[int, RebuiltTable | LostTable]
"""The number of a table in its family, and what came of it."""


@dataclass(frozen=True, slots=True)
class KeptResiduals:
    """The residuals beside the record of a deletion, in the lake."""

    place: LakePlace
    folder: str

    def __call__(self, residual: Residual) -> pa.Table:
        """The file's rows.

        Raises:
            RecipeRunError: it is gone, or its bytes are not the plan's.
        """
        path = f"{self.folder}/{residual.location}"
        file = self.place.file(path)
        content = b"" if file is None else read_whole(self.place.storage, file)
        if hashlib.sha256(content).hexdigest() != residual.sha256:
            told = "is gone" if file is None else "is not the residual that the plan was made with"
            raise RecipeRunError(f"{path} {told}")
        return pq.read_table(pa.BufferReader(content))


class LakeNow:
    """A lake in which parents are looked for; it is listed once for each way of grouping."""

    def __init__(self, place: LakePlace) -> None:
        self.place = place
        self._inventories: dict[str, Inventory] = {}

    def inventory(self, found_with: Data) -> Inventory:
        """The lake's inventory under the settings of a plan's `find`."""
        key = json_text(found_with)
        if key not in self._inventories:
            settings = settings_of_find({"find": found_with})
            self._inventories[key] = take_inventory(self.place.storage, settings)
        return self._inventories[key]

    def look(self, deletions: Iterable[Deletion]) -> None:
        """Lists the lake as these need it; where that fails, each of them tells it."""
        for deletion in deletions:
            with suppress(R2D2Error):
                self.inventory(deletion.record["find"])

    def parents(self, deletion: Deletion) -> ParentsNow:
        """The lake in which a deleted table's parents are."""
        plan = record.plan_of(self.place.storage.url, deletion)
        return ParentsNow.of(plan, self.place.storage, self.inventory(plan["find"]))

    def residuals(self, deletion: Deletion) -> "KeptResiduals":
        """The residuals that were kept of the table's recipe."""
        return KeptResiduals(self.place, record.folder_of(deletion.id))

    def check(self, deletion: Deletion) -> tuple[str, ...]:
        """Passes where the parents give the table's rows; sentences on those that changed.

        Raises:
            R2D2Error: they do not.
        """
        entry = deletion.record["entry"]
        with made_again(self.parents(deletion), self.residuals(deletion), entry) as (_, told):
            return told

    def rebuild(self, deletion: Deletion, to: Path) -> RebuiltTable:
        """The deleted table, written below a folder from its parents.

        Raises:
            R2D2Error: it does not come back.
        """
        entry = deletion.record["entry"]
        return rebuild_table(self.parents(deletion), self.residuals(deletion), entry, to)


def sizes_in(storage: Storage, listing: Listing) -> Callable[[str, str], int | None]:
    """The sizes of tables in the listed lake, by what they are found with; None: no such table."""
    files = {file.path: file for file in listing.files}

    @cache
    def groups(find: str) -> Mapping[str, FileGroup]:
        rules = settings_of_find({"find": json.loads(find)}).tables
        found = grouped_by_files(storage, without_home(listing), rules).groups
        return {group.location or ".": group for group in found}

    @cache
    def size_of(find: str, location: str) -> int | None:
        group = groups(find).get(location)
        if group is None or group.format != Format.DELTA:
            return None if group is None else sum(file.size_bytes for file in group.files)
        settings = settings_of_find({"find": json.loads(find)})
        return described(storage, settings, [group], files)[0].size_bytes

    return size_of


@dataclass(frozen=True, slots=True)
class FamilyJob:
    """A family to rebuild, each table below a folder of its own or a common one.

    `memory_bytes` of its rows are held, and as many of their hashes; more wait in scratch files.
    """

    parents: ParentsNow
    deletions: tuple[Deletion, ...]
    folders: tuple[Path, ...]
    threads: int
    memory_bytes: int

    def outcomes(self) -> Iterator[Outcome]:
        """What comes of each table."""
        left = dict(enumerate(zip(self.deletions, self.folders, strict=True)))
        if len(left) > 1:
            places = {deletion.table: number for number, (deletion, _) in left.items()}
            work = [(deletion.record["entry"], folder) for deletion, folder in left.values()]
            # What does not come back together is told when it is rebuilt alone.
            with suppress(Exception):
                limits = self.threads, self.memory_bytes
                for table in rebuild_family(self.parents, work, *limits):
                    number = places[table.table]
                    del left[number]
                    yield number, table
        for number, (deletion, folder) in left.items():
            yield number, self._alone(deletion, folder)

    def _alone(self, deletion: Deletion, folder: Path) -> RebuiltTable | LostTable:
        entry = deletion.record["entry"]
        try:
            place = place_of(self.parents.storage.url)
            kept = KeptResiduals(place, record.folder_of(deletion.id))
            return rebuild_table(self.parents, kept, entry, folder, self.memory_bytes)
        except R2D2Error as error:
            return LostTable(deletion.table, str(error))
        except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
            return LostTable(deletion.table, table_problem(error))

    def one(self, number: int) -> "FamilyJob":
        """The same for one of its tables."""
        own = (self.deletions[number],), (self.folders[number],)
        return replace(self, deletions=own[0], folders=own[1])


class Rebuilder:
    """A process that rebuilds one family after the other; where it ends, another takes over.

    Raises:
        OSError: the machine starts no more processes.
    """

    def __init__(self) -> None:
        self._child = ChildProcess(_PROGRAM)
        self._ended = False

    def outcomes(self, job: FamilyJob) -> Iterator[Outcome]:
        """What comes of each table of the family."""
        left = dict(enumerate(job.deletions))
        try:
            for part in self._child.ask(dumps(job)):
                number, back = loads(part)
                del left[number]
                yield number, back
        except (EOFError, OSError, ValueError):  # the pipe is broken, or closed by `end`
            status = self._child.end(PATIENCE_S)
            if self._ended:
                return
            self._child = ChildProcess(_PROGRAM)
            for number, deletion in left.items():
                if len(job.deletions) == 1:
                    told = f"the process that rebuilt it ended with status {status}"
                    yield number, LostTable(deletion.table, told)
                for _, back in self.outcomes(job.one(number)) if len(job.deletions) > 1 else ():
                    yield number, back

    def end(self, patience_s: float) -> None:
        """Ends the process."""
        self._ended = True
        self._child.end(patience_s)


def serve() -> None:
    """The program of a process: rebuilds the families that come as requests."""
    end_on_signals()

    def answer(request: bytes) -> Iterator[bytes]:
        job: FamilyJob = loads(request)
        yield from map(dumps, job.outcomes())

    answer_requests(answer, end_quietly)


def rebuild_side_by_side(
    orders: Shares, begin: Callable[[int], FamilyJob | None]
) -> Iterator[tuple[int, Outcome]]:
    """The outcome of each table with its family's number, as it comes.

    Each order is one process's, this one's the first; whoever is done takes the last family of the
    one with most left. `begin` gives a family's job when its turn comes, None where there is none.
    """
    others = _started(len(orders) - 1)
    waiting = [deque(order) for order in orders]
    news: SimpleQueue[tuple[int, int, Outcome | BaseException | None]] = SimpleQueue()

    def goes_on(worker: int) -> bool:
        while (family := _next(waiting, worker)) is not None:
            if (job := begin(family)) is not None:
                work = others[worker - 1].outcomes(job) if worker else job.outcomes()
                args = worker, family, work, news
                Thread(target=_tell_all, args=args, daemon=True).start()
                return True
        return False

    busy, patience_s = sum(map(goes_on, range(len(others) + 1))), 0
    try:
        while busy:
            worker, family, outcome = news.get()
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome is None:
                busy += goes_on(worker) - 1
            else:
                yield family, outcome
        patience_s = PATIENCE_S
    finally:
        for other in others:
            other.end(patience_s)


def _tell_all(
    worker: int,
    family: int,
    outcomes: Iterator[Outcome],
    news: "SimpleQueue[tuple[int, int, Outcome | BaseException | None]]",
) -> None:
    try:
        for outcome in outcomes:
            news.put((worker, family, outcome))
        news.put((worker, family, None))
    except BaseException as error:  # noqa: BLE001 - raised where the outcomes are awaited
        news.put((worker, family, error))


def _started(count: int) -> list[Rebuilder]:
    started = list[Rebuilder]()
    with suppress(OSError):
        while len(started) < count:
            started.append(Rebuilder())
    return started


def _next(waiting: Sequence[deque[int]], worker: int) -> int | None:
    if waiting and waiting[worker]:
        return waiting[worker].popleft()
    most = max(waiting, key=len, default=deque[int]())
    return most.pop() if most else None
