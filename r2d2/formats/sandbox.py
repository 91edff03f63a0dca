"""A child process that decodes ORC: one question after the other, answered in record batches.

What decodes ORC ends its process on some damaged files (a list of negative length is enough), and
takes all memory on others. A child may do so: then the table is unreadable, no more.

ORC's rows as child processes read them: so many at a time, each kept for the next split.
"""

import atexit
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any, BinaryIO

import pyarrow as pa

from r2d2.errors import R2D2Error, UnreadableTableError
from r2d2.model import Split
from r2d2.storage.local import Storage

MEMORY_BYTES = 4 << 30
_PROGRAM = "from r2d2.formats.sandbox import answer; answer()"
_HEAD = struct.Struct("<cQ")
_BATCH, _END, _ERROR = b"b", b"e", b"!"


class Child:
    """A process that answers one question after the other, until it is ended."""

    def __init__(self) -> None:
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._environment = dict(os.environ)
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**self._environment, "PYTHONPATH": paths},
        )
        self._questions: Any = self._process.stdin
        self._answers: Any = self._process.stdout

    def is_fit(self) -> bool:
        """Whether it lives, and has the credentials and settings of now."""
        return self._process.poll() is None and self._environment == os.environ

    def ask(self, question: bytes) -> Iterator[pa.RecordBatch]:
        """The batches of the answer; the child may be asked again once they are exhausted.

        Raises:
            EOFError: the child has ended.
            R2D2Error: what went wrong in the child; it may be asked again.
        """
        try:
            self._questions.write(question)
            self._questions.flush()
        except BrokenPipeError as error:
            raise EOFError from error
        kind, content = self._frame()
        while kind == _BATCH:
            with pa.ipc.open_stream(content) as batches:
                yield from batches
            kind, content = self._frame()
        if kind == _ERROR:
            raise pickle.loads(content)

    def _frame(self) -> tuple[bytes, bytes]:
        kind, size_bytes = _HEAD.unpack(self._exactly(_HEAD.size))
        return kind, self._exactly(size_bytes)

    def _exactly(self, size_bytes: int) -> bytes:
        content: bytes = self._answers.read(size_bytes)
        if len(content) < size_bytes:
            raise EOFError
        return content

    def end(self, patience_s: float = 0) -> int:
        """Ends the process; its exit status, negative where a signal ended it."""
        with suppress(BrokenPipeError):
            self._questions.close()
        self._answers.close()
        try:
            return self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def answer() -> None:
    """Answers questions from standard input on standard output until there are no more."""
    from r2d2.formats.orc import read as orc

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends, and with it the questions
    _limit_memory()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(EOFError, BrokenPipeError):
        while True:
            storage, split, columns = pickle.load(sys.stdin.buffer)
            try:
                for batch in orc.read(storage, split, columns):
                    _send(answers, _BATCH, _stream(batch))
                _send(answers, _END, b"")
            except R2D2Error as error:
                _send(answers, _ERROR, pickle.dumps(error))
            except MemoryError:
                needs = f"{split.file.path}: reading it needs more than {MEMORY_BYTES} bytes"
                _send(answers, _ERROR, pickle.dumps(UnreadableTableError(needs)))


def _send(answers: BinaryIO, kind: bytes, content: bytes | pa.Buffer) -> None:
    answers.write(_HEAD.pack(kind, len(content)))
    answers.write(content)
    answers.flush()


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
