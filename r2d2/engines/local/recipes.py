"""Recipes on the local engine: found by processes side by side, run one by one in this one.

Bundles of families answered by this process and others beside it, as many as cores.

To look for recipes in small tables is mostly Python, of which a process runs one thread at a time.
Others are started where there is work for them, and end with the last answer. One that ends before
(no memory is left, say) leaves its bundle without recipes and a reason; the others go on.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

from r2d2.engines.local.worker import Answer, Bundle, RecipeWorker, ThisProcess
from r2d2.model import Table, Types
from r2d2.recipes.find.batching import TASK_BYTES, batches, tables_of
from r2d2.recipes.find.request import AnyRequest, Proposal
from r2d2.recipes.grammar import Recipe
from r2d2.recipes.run.trial import Trial, try_out
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage


@dataclass(frozen=True, slots=True)
class LocalRecipes:
    """What a plan asks of an engine, answered by this machine."""

    storage: Storage
    settings: Settings

    def propose(self, families: Sequence[AnyRequest]) -> Iterator[Proposal]:
        """The proposals for all of the families, in any order."""
        questions = [[families[number] for number in bundle] for bundle in batches(families)]
        for proposals in answers(
            self.storage, self.settings.types, questions, self.settings.threads
        ):
            yield from proposals

    def try_out(
        self, tables: Mapping[str, Table], work: Sequence[tuple[str, Recipe]], folder: Path
    ) -> Iterator[Trial]:
        """Each recipe run and compared with its table; residuals are written into the folder.

        One by one, so that the seconds are those of the recipe alone.
        """
        for child, recipe in work:
            yield try_out(self.storage, tables, tables[child], recipe, folder)


WORTHWHILE_TABLES, WORTHWHILE_BYTES = 400, 64 << 20
"""For so many tables, or so many bytes of them, a process more pays for its start."""


def answers(
    storage: Storage, types: Types, questions: Sequence[Bundle], most: int
) -> Iterator[Answer]:
    """The proposals of each bundle's families, in any order.

    `most` processes take part, this one among them; fewer where the machine starts no more.
    """
    sizes = [_size_bytes(bundle) for bundle in questions]
    tables = sum(len(tables_of(family)) for bundle in questions for family in bundle)
    worthwhile = 1 + max(tables // WORTHWHILE_TABLES, sum(sizes) // WORTHWHILE_BYTES)
    others = _started(storage, types, min(most, worthwhile, len(questions)) - 1)
    shares = _Shares(sizes, len(others) + 1)
    done: SimpleQueue[Answer | BaseException] = SimpleQueue()
    for place, one in enumerate((*others, ThisProcess(storage, types))):
        Thread(target=_serve, args=(one, shares.of(place), questions, done), daemon=True).start()
    try:
        for _ in questions:
            answer = done.get()
            if isinstance(answer, BaseException):
                raise answer
            yield answer
    finally:
        shares.end()
        for worker in others:
            worker.end()


def _started(storage: Storage, types: Types, count: int) -> list[RecipeWorker]:
    found: list[RecipeWorker] = []
    with suppress(OSError):
        while len(found) < count:
            found.append(RecipeWorker(storage, types))
    return found


class _Shares:
    """Which bundle comes next for which process.

    The largest, which stand alone, come first. Of the others each process has neighbours, since
    these share tables; one that has no more takes the last of who has most left.
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
        """The numbers of the bundles that the process is to answer."""
        while (number := self._next(process)) is not None:
            yield number

    def _next(self, process: int) -> int | None:
        with self._lock:
            if self._large:
                return self._large.popleft()
            if own := self._shares[process]:
                return own.popleft()
            most = max(self._shares, key=self._left)
            return most.pop() if most else None

    def _left(self, share: Collection[int]) -> tuple[int, int]:
        return sum(self._sizes[number] for number in share), len(share)

    def end(self) -> None:
        """There are no more."""
        with self._lock:
            for waiting in (self._large, *self._shares):
                waiting.clear()


def _size_bytes(bundle: Bundle) -> int:
    own = {table.location: table.size_bytes for family in bundle for table in tables_of(family)}
    return sum(own.values())


def _serve(
    one: ThisProcess | RecipeWorker,
    numbers: Iterator[int],
    questions: Sequence[Bundle],
    done: "SimpleQueue[Answer | BaseException]",
) -> None:
    """One bundle after the other, as long as there are any; then who answers is ended.

    So a process is, too, that took another's place while whoever asked left.
    """
    for number in numbers:
        try:
            done.put(one.answer(questions[number]))
        except BaseException as error:  # noqa: BLE001 - raised where the answers are awaited
            done.put(error)
    one.end()
