"""Child processes of r2d2: one program that answers one request after the other over its pipes.

Whoever starts a child ends it; a child that nobody asks any more ends itself, whatever it does.
"""

import os
import pickle
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any

from r2d2.errors import R2D2Error

_HEAD = struct.Struct("<cQ")
_REQUEST, _PART, _END, _ERROR = b"r", b"p", b"e", b"!"


def cpu_seconds() -> float:
    """The CPU seconds of this process so far, and of the children that it has waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


class ChildProcess:
    """A Python process that runs a program of r2d2's, which calls `answer_requests`.

    Raises:
        OSError: the machine starts no more processes.
    """

    def __init__(
        self, program: str, defaults: Mapping[str, str] | None = None, silent: bool = False
    ) -> None:
        """`defaults` are environment variables where this process has none of the name."""
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._environment = dict(os.environ)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if silent else None,
            env={**(defaults or {}), **self._environment, "PYTHONPATH": paths},
            # A terminal's Ctrl-C is for the parent: with it the requests end.
            process_group=0,
        )

    def is_fit(self) -> bool:
        """Whether it lives, and has the credentials and settings of now."""
        return self.process.poll() is None and self._environment == os.environ

    def ask(self, request: bytes) -> Iterator[bytes]:
        """The parts of the answer; the child may be asked again once they are exhausted.

        Raises:
            EOFError: the child has ended.
            R2D2Error: what went wrong in the child; it may be asked again.
        """
        try:
            _send(self.process.stdin, _REQUEST, request)
        except BrokenPipeError as error:
            raise EOFError from error
        kind, content = _received(self.process.stdout)
        while kind == _PART:
            yield content
            kind, content = _received(self.process.stdout)
        if kind == _ERROR:
            raise pickle.loads(content)

    def end(self, patience_s: float = 0) -> int:
        """Ends the process, at once without patience; its status, negative for a signal's."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            if not patience_s:
                self.process.kill()
                return self.process.wait()
            with suppress(BrokenPipeError):
                stdin.close()
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            for pipe in (stdin, stdout):
                with suppress(BrokenPipeError):
                    pipe.close()


def _end() -> None:
    os._exit(0)


def answer_requests(
    answer: Callable[[bytes], Iterable[Any]], end: Callable[[], None] = _end
) -> None:
    """Answers requests from standard input on standard output, in buffers, until none comes.

    What else is written to standard output goes to standard error. `end` ends this process, from
    any thread, once nobody asks it any more.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_listen, args=(requests, end), daemon=True).start()
    with suppress(BrokenPipeError):
        while True:
            request = requests.get()
            try:
                for part in answer(request):
                    _send(answers, _PART, part)
                _send(answers, _END, b"")
            except R2D2Error as error:
                _send(answers, _ERROR, pickle.dumps(error))


def _listen(requests: "SimpleQueue[bytes]", end: Callable[[], None]) -> None:
    """Ends the process, whatever it does, once there is nobody to ask it any more."""
    with suppress(EOFError):
        while True:
            requests.put(_received(sys.stdin.buffer)[1])
    end()


def _send(pipe: IO[bytes] | None, kind: bytes, content: Any) -> None:
    assert pipe is not None
    pipe.write(_HEAD.pack(kind, len(content)))
    pipe.write(content)
    pipe.flush()


def _received(pipe: IO[bytes] | None) -> tuple[bytes, bytes]:
    assert pipe is not None
    kind, size_bytes = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    return kind, _exactly(pipe, size_bytes)


def _exactly(pipe: IO[bytes], size_bytes: int) -> bytes:
    content = pipe.read(size_bytes)
    if len(content) < size_bytes:
        raise EOFError
    return content
