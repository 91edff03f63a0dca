"""ORC's rows as child processes read them: so many at a time, each kept for the next split."""

import atexit
import os
import pickle
import threading
from collections.abc import Collection, Iterator
from functools import lru_cache

import pyarrow as pa

from r2d2.errors import R2D2Error, UnreadableTableError
from r2d2.formats.sandbox import Child
from r2d2.model import Split
from r2d2.storage.local import Storage

MOST_CHILDREN = max(2, os.cpu_count() or 1)


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The split's rows with the top-level columns asked for, in batches of bounded size.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    return _children(os.getpid()).read(storage, split, columns)


class _Children:
    """The children of this process: so many at a time, started when needed, kept for the next."""

    def __init__(self) -> None:
        self._idle: list[Child] = []
        self._places = threading.BoundedSemaphore(MOST_CHILDREN)
        atexit.register(self._end)

    def read(
        self, storage: Storage, split: Split, columns: Collection[str]
    ) -> Iterator[pa.RecordBatch]:
        """What a child reads of the split."""
        question = pickle.dumps((storage, split, frozenset(columns)))
        with self._places:
            child = self._idle_child() or Child()
            reusable = False
            try:
                yield from child.ask(question)
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

    def _idle_child(self) -> Child | None:
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
def _children(process: int) -> _Children:
    """This process's own; a fork's are not those of the process it was forked from."""
    return _Children()
