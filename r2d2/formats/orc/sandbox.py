"""ORC files decoded in child processes: so many at a time, each kept for the next split.

pyarrow ends its process on some damaged ORC files (a list of negative length is enough), and
takes all memory on others. A child may do so: then the table is unreadable, no more.
"""

import atexit
import os
import pickle
import sys
import threading
from collections.abc import Collection, Iterator
from functools import lru_cache

import pyarrow as pa

from r2d2.errors import R2D2Error, UnreadableTableError
from r2d2.model import Split
from r2d2.processes import ChildProcess, answer_requests
from r2d2.storage.local import Storage

MEMORY_BYTES = 4 << 30
MOST_CHILDREN = max(2, os.cpu_count() or 1)
_PROGRAM = "from r2d2.formats.orc.sandbox import answer; answer()"


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The split's rows with the top-level columns asked for, in batches of bounded size.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    return _pool(os.getpid()).read(storage, split, columns)


class _Pool:
    """The children of this process: so many at a time, started when needed, kept for the next."""

    def __init__(self) -> None:
        self._idle: list[ChildProcess] = []
        self._places = threading.BoundedSemaphore(MOST_CHILDREN)
        atexit.register(self._end)

    def read(
        self, storage: Storage, split: Split, columns: Collection[str]
    ) -> Iterator[pa.RecordBatch]:
        """The split's rows, read by a child."""
        question = pickle.dumps((storage, split, frozenset(columns)))
        with self._places:
            child = self._idle_child() or ChildProcess(_PROGRAM, silent=True)
            reusable = False
            try:
                for part in child.ask(question):
                    with pa.ipc.open_stream(part) as batches:
                        yield from batches
                reusable = True
            except R2D2Error:
                reusable = True
                raise
            except EOFError as error:
                raise UnreadableTableError(
                    f"{split.file.path}: what decodes it has ended its process (status"
                    f" {child.end(patience_s=10)}), as it does where a file is damaged"
                ) from error
            finally:
                if reusable:
                    self._idle.append(child)
                else:
                    child.end()

    def _idle_child(self) -> ChildProcess | None:
        """One that is fit; any others are ended."""
        while True:
            try:
                child = self._idle.pop()
            except IndexError:
                return None
            if child.is_fit():
                return child
            child.end(patience_s=1)

    def _end(self) -> None:
        while self._idle:
            self._idle.pop().end(patience_s=1)


@lru_cache(maxsize=1)
def _pool(process: int) -> _Pool:
    """This process's own; a fork's are not those of the process it was forked from."""
    return _Pool()


def answer() -> None:
    """The program of a child: reads the splits that come as requests."""
    from r2d2.formats.orc import read as orc

    def batches(request: bytes) -> Iterator[pa.Buffer]:
        storage, split, columns = pickle.loads(request)
        try:
            yield from map(_stream, orc.read(storage, split, columns))
        except MemoryError as error:
            needs = f"{split.file.path}: reading it needs more than {MEMORY_BYTES} bytes"
            raise UnreadableTableError(needs) from error

    _limit_memory()
    answer_requests(batches)


def _stream(batch: pa.RecordBatch) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue()


def _limit_memory() -> None:
    """A bomb fails in the child, before it takes the memory of all others."""
    if sys.platform != "win32":
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_BYTES, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
