"""Recipes on the local engine: searched by as many processes as cores, run in this one.

A search in small tables is mostly Python, of which a process runs one thread at a time. So other
processes are started where there is work for them, and end with the last answer. Where one ends
before (out of memory, say), another takes its place, and only the request at which a fresh process
ends is left without recipes and with a reason.
"""

import ctypes
import os
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TypeAlias

import pyarrow as pa

from r2d2.engines.pickling import dumps, loads
from r2d2.errors import R2D2Error
from r2d2.model import Table, Types
from r2d2.processes import ChildProcess, answer_requests
from r2d2.recipes.find import search
from r2d2.recipes.find.request import (
    TASK_BYTES,
    AnyRequest,
    Proposal,
    batches,
    no_recipes,
)
from r2d2.recipes.find.row_counts import MEMORY_BYTES, RowCounts
from r2d2.recipes.grammar import Recipe
from r2d2.recipes.run.shared_scan import Shared, shared_scans, try_out_together
from r2d2.recipes.run.trial import Trial, try_out
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage

_PROGRAM = "from r2d2.engines.local.recipes import serve; serve()"
# Memory that was freed is used again: to get it anew for each column took a third of the time.
_ALLOCATION = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_ARENA_MAX": "2",
}
M_ARENA_MAX, ARENAS = -8, 2
"""Of glibc: else each new thread may have its own, and what was freed there is lost to others."""
PATIENCE_S = 10
RequestBatch: TypeAlias = Sequence[AnyRequest]
Proposals: TypeAlias = list[Proposal]
SearchArguments: TypeAlias = tuple[Storage, Types, int, int]
"""A lake, the rule by which its types match, bytes of memory, and the number of threads."""
WORTHWHILE_TABLES, WORTHWHILE_BYTES = 400, 64 << 20
"""For so many tables, or so many bytes of them, one more process pays for its start."""


@dataclass(frozen=True, slots=True)
class LocalRecipes:
    """The search and the trials of recipes on this machine."""

    storage: Storage
    settings: Settings

    def propose(self, requests: Sequence[AnyRequest]) -> Iterator[Proposal]:
        """The proposals for all requests, in any order."""
        _reuse_memory()
        work = [[requests[number] for number in batch] for batch in batches(requests)]
        settings = self.settings
        answers = search_in_processes(
            self.storage, settings.types, work, settings.threads, settings.memory_bytes
        )
        for proposals in answers:
            yield from proposals

    def try_out(
        self, tables: Mapping[str, Table], work: Sequence[tuple[str, Recipe]], folder: Path
    ) -> Iterator[Trial]:
        """The trial of each child's recipe; residuals are written into the folder.

        Those that read one parent share its scan, the others run one by one.
        """
        _reuse_memory()
        memory_bytes, threads = self.settings.memory_bytes, self.settings.threads
        scans = shared_scans(tables, work, memory_bytes)
        scan_of: dict[tuple[str, Recipe], list[tuple[str, Shared]]] = {
            each: scan for scan in scans.values() for each in scan
        }
        done: dict[tuple[str, Recipe], Trial] = {}
        for child, recipe in work:
            together = scan_of.get((child, recipe))
            if together is None:
                yield try_out(self.storage, tables, tables[child], recipe, folder, memory_bytes)
                continue
            if (child, recipe) not in done:
                limits = memory_bytes, threads
                trials = try_out_together(self.storage, tables, together, folder, *limits)
                done |= dict(zip(together, trials, strict=True))
            yield done[child, recipe]


def _reuse_memory() -> None:
    """Has Arrow take memory in this process as in the others, where nobody chose a way."""
    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        pa.set_memory_pool(pa.system_memory_pool())
        with suppress(AttributeError):  # another C library has no such function
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


class ThisProcess:
    """This process, which searches for recipes itself."""

    def __init__(
        self,
        storage: Storage,
        types: Types,
        memory_bytes: int = MEMORY_BYTES,
        threads: int = 1,
    ) -> None:
        self._counts = RowCounts(storage, types, memory_bytes=memory_bytes, threads=threads)

    def answer(self, batch: RequestBatch) -> Proposals:
        """The proposals for the batch's requests."""
        return search(batch, self._counts)

    def end(self) -> None:
        """There is nothing to end."""


class RecipeWorker:
    """A process that answers one batch after the other; where it dies, another takes over.

    Raises:
        OSError: the machine starts no more processes.
    """

    def __init__(
        self,
        storage: Storage,
        types: Types,
        memory_bytes: int = MEMORY_BYTES,
        threads: int = 1,
    ) -> None:
        self._search = storage, types, memory_bytes, threads
        self._ended = False
        self._is_fresh = True
        self._child = self._started()

    def _started(self) -> ChildProcess:
        return ChildProcess(_PROGRAM, _ALLOCATION)

    def answer(self, batch: RequestBatch) -> Proposals:
        """The proposals; none, with a reason, for a request at which a fresh process ends.

        A batch at which a process ends (killed for its memory, say) is asked once more of a fresh
        one, and request by request where that ends too: so the others keep their recipes.

        Raises:
            R2D2Error: what went wrong in the process, or that no other takes its place.
        """
        request = dumps((self._search, batch))
        try:
            (answer,) = self._child.ask(request)
        except (EOFError, OSError, ValueError):  # the pipe is broken, or closed by `end`
            status = self._child.end(PATIENCE_S)
            was_fresh = self._is_fresh
            self._replace()
            if not self._ended and not was_fresh:
                return self.answer(batch)
            if not self._ended and len(batch) > 1:
                return [found for request in batch for found in self.answer([request])]
            reason = f"the process that looked for its recipes ended with status {status}"
            return [lost for request in batch for lost in no_recipes(request, reason)]
        self._is_fresh = False
        return list(loads(answer))

    def _replace(self) -> None:
        if not self._ended:
            try:
                self._child = self._started()
                self._is_fresh = True
            except OSError as error:
                raise R2D2Error(f"no process can be started: {error.strerror}") from error

    def end(self) -> None:
        """Ends the process at once, whatever it does; it may have ended."""
        self._ended = True
        self._child.end()


def serve() -> None:
    """The program of a worker: searches for the recipes for the batches that come as requests."""
    searcher: ThisProcess | None = None

    def answer(request: bytes) -> Iterator[bytes]:
        nonlocal searcher
        search, batch = loads(request)
        searcher = searcher or ThisProcess(*search)
        try:
            yield dumps(searcher.answer(batch))
        except R2D2Error:
            raise
        except Exception as error:
            raise R2D2Error(repr(error)) from error

    answer_requests(answer)


def search_in_processes(
    storage: Storage,
    types: Types,
    work: Sequence[RequestBatch],
    most: int,
    memory_bytes: int = MEMORY_BYTES,
) -> Iterator[Proposals]:
    """The proposals for each batch of requests, in any order.

    At most `most` processes take part, this one among them; fewer where no more can be started.
    They share the memory: a parent that needs more than one's part is read in passes, its splits by
    so many threads.
    """
    sizes = [_size_bytes(batch) for batch in work]
    tables = sum(len(request.tables) for batch in work for request in batch)
    worthwhile = 1 + max(tables // WORTHWHILE_TABLES, sum(sizes) // WORTHWHILE_BYTES)
    processes = max(1, min(most, worthwhile, len(work)))
    search = storage, types, memory_bytes // processes, most
    others = _started(search, processes - 1)
    shares = _Shares(sizes, len(others) + 1)
    done: SimpleQueue[Proposals | BaseException] = SimpleQueue()
    for place, process in enumerate((*others, ThisProcess(*search))):
        Thread(target=_serve, args=(process, shares.of(place), work, done), daemon=True).start()
    try:
        for _ in work:
            proposals = done.get()
            if isinstance(proposals, BaseException):
                raise proposals
            yield proposals
    finally:
        shares.end()
        for worker in others:
            worker.end()


def _size_bytes(batch: RequestBatch) -> int:
    sizes = {table.location: table.size_bytes for request in batch for table in request.tables}
    return sum(sizes.values())


def _started(search: SearchArguments, count: int) -> list[RecipeWorker]:
    workers: list[RecipeWorker] = []
    with suppress(OSError):
        while len(workers) < count:
            workers.append(RecipeWorker(*search))
    return workers


class _Shares:
    """The batches still to be searched, shared out among the processes.

    The largest, which stand alone, come first. Of the others each process has neighbours, since
    these share tables; one that has no more takes the last of the process with most left.
    """

    def __init__(self, sizes: Sequence[int], processes: int) -> None:
        numbers = range(len(sizes))
        self._sizes, self._lock = sizes, Lock()
        self._large = deque(
            sorted((n for n in numbers if sizes[n] > TASK_BYTES), key=lambda n: -sizes[n])
        )
        self._shares: list[deque[int]] = [deque() for _ in range(processes)]
        small = [n for n in numbers if sizes[n] <= TASK_BYTES]
        total, before = sum(sizes[n] for n in small), 0
        for number in small:
            self._shares[before * processes // (total + 1)].append(number)
            before += sizes[number]

    def of(self, process: int) -> Iterator[int]:
        """The numbers of the batches that the process searches, as long as there are any."""
        while (number := self._next(process)) is not None:
            yield number

    def _next(self, process: int) -> int | None:
        with self._lock:
            if self._large:
                return self._large.popleft()
            if share := self._shares[process]:
                return share.popleft()
            most = max(self._shares, key=self._left)
            return most.pop() if most else None

    def _left(self, share: Collection[int]) -> tuple[int, int]:
        return sum(self._sizes[number] for number in share), len(share)

    def end(self) -> None:
        """Takes all batches away, so that no process begins another."""
        with self._lock:
            for waiting in (self._large, *self._shares):
                waiting.clear()


def _serve(
    process: ThisProcess | RecipeWorker,
    numbers: Iterator[int],
    work: Sequence[RequestBatch],
    done: "SimpleQueue[Proposals | BaseException]",
) -> None:
    """Lets the process search one batch after the other, and ends it.

    It is ended here, too, where it replaced another process after the caller left.
    """
    for number in numbers:
        try:
            done.put(process.answer(work[number]))
        except BaseException as error:  # noqa: BLE001 - raised where the answers are awaited
            done.put(error)
    process.end()
