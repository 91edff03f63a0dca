"""Bundles of families answered by this process and others beside it, as many as cores.

To look for recipes in small tables is mostly Python, of which a process runs one thread at a time.
Others are started where there is work for them, and end with the last answer. One that ends before
(no memory is left, say) leaves its bundle without recipes and a reason; the others go on.
"""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import IO, TypeAlias

from r2d2.engines.codec import dumps, loads
from r2d2.errors import R2D2Error
from r2d2.lake.storage import Storage
from r2d2.model import Types
from r2d2.rebuild.bundles import TASK_BYTES, tables_of
from r2d2.rebuild.counting import Counts
from r2d2.rebuild.family import AnyFamily, Family, Proposal, without_recipe
from r2d2.rebuild.proposals import all_proposals

_PROGRAM = "from r2d2.engines.local_workers import serve; serve()"
_HEAD_BYTES = 8
# Memory that was freed is used again: to get it anew for each column took a third of the time.
_ALLOCATION = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
}
WORTHWHILE_TABLES, WORTHWHILE_BYTES = 400, 64 << 20
"""For so many tables, or so many bytes of them, a process more pays for its start."""
Bundle: TypeAlias = Sequence[AnyFamily]
Answer: TypeAlias = list[Proposal]


def answers(
    storage: Storage, types: Types, questions: Sequence[Bundle], most: int
) -> Iterator[Answer]:
    """The proposals of each bundle's families, in any order.

    `most` processes take part, this one among them.
    """
    sizes = [_size_bytes(bundle) for bundle in questions]
    tables = sum(len(tables_of(family)) for bundle in questions for family in bundle)
    worthwhile = 1 + max(tables // WORTHWHILE_TABLES, sum(sizes) // WORTHWHILE_BYTES)
    others = [_Worker(storage, types) for _ in range(min(most, worthwhile, len(questions)) - 1)]
    shares = _Shares(sizes, len(others) + 1)
    done: SimpleQueue[Answer | BaseException] = SimpleQueue()
    for place, way in enumerate((*others, _Own(storage, types))):
        Thread(target=_serve, args=(way, shares.of(place), questions, done), daemon=True).start()
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
            most = max(self._shares, key=lambda share: sum(self._sizes[n] for n in share))
            return most.pop() if most else None

    def end(self) -> None:
        """There are no more."""
        with self._lock:
            for waiting in (self._large, *self._shares):
                waiting.clear()


def _size_bytes(bundle: Bundle) -> int:
    own = {table.location: table.size_bytes for family in bundle for table in tables_of(family)}
    return sum(own.values())


class _Own:
    """This process's way to answer."""

    def __init__(self, storage: Storage, types: Types) -> None:
        self._counts = Counts(storage, types)

    def answer(self, bundle: Bundle) -> Answer:
        """The proposals of the bundle's families."""
        return all_proposals(bundle, self._counts)

    def end(self) -> None:
        """There is nothing to end."""


class _Worker:
    """A process that answers one bundle after the other; where one dies, another takes over."""

    def __init__(self, storage: Storage, types: Types) -> None:
        self._lake = dumps((storage, types))
        self._ended = False
        self._process = self._started()

    def _started(self) -> "subprocess.Popen[bytes]":
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._is_new = True
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**_ALLOCATION, **os.environ, "PYTHONPATH": paths},
        )

    def answer(self, bundle: Bundle) -> Answer:
        """The proposals; none, with a reason, where the process ends before it answers.

        Raises:
            R2D2Error: what went wrong in the process.
        """
        try:
            if self._is_new:
                _send(self._process.stdin, self._lake)
                self._is_new = False
            _send(self._process.stdin, dumps(bundle))
            found = loads(_received(self._process.stdout))
        except (EOFError, OSError, ValueError):  # the pipe is broken, or closed by `end`
            status = self._process.wait()
            if not self._ended:
                self._close()
                self._process = self._started()
            reason = f"the process that looked for its recipes ended with status {status}"
            return [lost for family in bundle for lost in _lost(family, reason)]
        if isinstance(found, R2D2Error):
            raise found
        return list(found)

    def end(self) -> None:
        """Ends the process at once, whatever it does; it may have ended."""
        self._ended = True
        self._process.kill()
        self._close()

    def _close(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()


def _serve(
    way: _Own | _Worker,
    numbers: Iterator[int],
    questions: Sequence[Bundle],
    done: "SimpleQueue[Answer | BaseException]",
) -> None:
    """One bundle after the other, as long as there are any."""
    for number in numbers:
        try:
            done.put(way.answer(questions[number]))
        except BaseException as error:  # noqa: BLE001 - raised where the answers are awaited
            done.put(error)
    way.end()


def _lost(family: AnyFamily, reason: str) -> list[Proposal]:
    if not isinstance(family, Family):
        return []
    return [without_recipe(family.parent, child.table, reason) for child in family.children]


def serve() -> None:
    """Answers the bundles that come on standard input on standard output, until none comes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends at once, as the one who asks does
    answers_to = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(EOFError, BrokenPipeError):
        own = _Own(*loads(_received(sys.stdin.buffer)))
        while True:
            bundle = loads(_received(sys.stdin.buffer))
            try:
                answer: Answer | Exception = own.answer(bundle)
            except Exception as error:  # noqa: BLE001 - raised by who asked
                answer = error if isinstance(error, R2D2Error) else R2D2Error(repr(error))
            _send(answers_to, dumps(answer))


def _send(pipe: IO[bytes] | None, content: bytes) -> None:
    assert pipe is not None
    pipe.write(len(content).to_bytes(_HEAD_BYTES, "little"))
    pipe.write(content)
    pipe.flush()


def _received(pipe: IO[bytes] | None) -> bytes:
    assert pipe is not None
    head = pipe.read(_HEAD_BYTES)
    content = pipe.read(int.from_bytes(head, "little"))
    if len(head) < _HEAD_BYTES or len(content) < int.from_bytes(head, "little"):
        raise EOFError
    return content
