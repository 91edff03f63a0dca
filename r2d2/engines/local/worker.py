"""One who answers for bundles of families: this process, or another that is asked over pipes."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any, TypeAlias

from r2d2.engines.pickling import dumps, loads
from r2d2.errors import R2D2Error
from r2d2.model import Types
from r2d2.recipes.find import search
from r2d2.recipes.find.request import AnyRequest, Proposal, Request, no_recipe
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.storage.local import Storage

_PROGRAM = "from r2d2.engines.local.worker import serve; serve()"
_HEAD_BYTES = 8
# Memory that was freed is used again: to get it anew for each column took a third of the time.
_ALLOCATION = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
}
Bundle: TypeAlias = Sequence[AnyRequest]
Answer: TypeAlias = list[Proposal]


class ThisProcess:
    """Answers itself."""

    def __init__(self, storage: Storage, types: Types) -> None:
        self._counts = RowCounts(storage, types)

    def answer(self, bundle: Bundle) -> Answer:
        """The proposals of the bundle's families."""
        return search(bundle, self._counts)

    def end(self) -> None:
        """There is nothing to end."""


class RecipeWorker:
    """A process that answers one bundle after the other; where it dies, another takes over.

    Raises:
        OSError: the machine starts no more processes.
    """

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
            R2D2Error: what went wrong in the process, or that no other takes its place.
        """
        try:
            if self._is_new:
                _send(self._process.stdin, self._lake)
                self._is_new = False
            _send(self._process.stdin, dumps(bundle))
            found = loads(_received(self._process.stdout))
        except (EOFError, OSError, ValueError):  # the pipe is broken, or closed by `end`
            status = self._process.wait()
            self._replace()
            reason = f"the process that looked for its recipes ended with status {status}"
            return [lost for family in bundle for lost in _lost(family, reason)]
        if isinstance(found, R2D2Error):
            raise found
        return list(found)

    def _replace(self) -> None:
        if not self._ended:
            self._close()
            try:
                self._process = self._started()
            except OSError as error:
                raise R2D2Error(f"no process can be started: {error.strerror}") from error

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


def _lost(family: AnyRequest, reason: str) -> list[Proposal]:
    if not isinstance(family, Request):
        return []
    return [no_recipe(family.parent, child.table, reason) for child in family.children]


def serve() -> None:
    """Answers the bundles that come on standard input on standard output, until none comes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends at once, as the one who asks does
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_listen, args=(asked,), daemon=True).start()
    own = ThisProcess(*asked.get())
    with suppress(BrokenPipeError):
        while True:
            bundle = asked.get()
            try:
                answer: Answer | Exception = own.answer(bundle)
            except Exception as error:  # noqa: BLE001 - raised by who asked
                answer = error if isinstance(error, R2D2Error) else R2D2Error(repr(error))
            _send(answers, dumps(answer))


def _listen(asked: "SimpleQueue[Any]") -> None:
    """Ends the process, whatever it does, once there is nobody to ask it any more."""
    with suppress(EOFError):
        while True:
            asked.put(loads(_received(sys.stdin.buffer)))
    os._exit(0)


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
