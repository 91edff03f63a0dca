"""A connection to an object store that counts its requests and knows when to stop asking."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from r2d2.errors import UnreadableTableError
from r2d2.lake.object_refusal import is_silence, status_of, unreadable
from r2d2.model import FileInfo
from r2d2.storage.url import Place

# obstore lets go of the GIL, so threads do; at 30 ms a request, 64 of them read 2,000 footers a s.
CONCURRENT_READS = 64
_WRITTEN = "written "


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a store.

    One that falls silent costs a request at most `retry_s` + `silence_s`, since no try begins
    after `retry_s`. `request_s` bounds a try that drips. After `failures` requests in a row that
    found no store, no more are made; one that met silence counts twice.
    """

    connect_s: float = 2
    silence_s: float = 4
    request_s: float = 30
    retry_s: float = 5
    retries: int = 6
    failures: int = 3


@dataclass(slots=True)
class Connection:
    """A store of obstore's, the requests made of it, and how many in a row found no store."""

    place: Place
    store: Any
    patience: Patience
    requests: int = 0
    failures: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, file: FileInfo, begin: int, end: int) -> bytes:
        """The bytes in [begin, end) of the file as it was listed, in one request.

        Raises:
            UnreadableTableError: it is not there, not the same, not allowed, or nothing answers.
        """
        import obstore

        options: Any = {"range": (begin, end)}
        if not file.version.startswith(_WRITTEN):
            options["if_match"] = file.version
        with self._asking(file.path):
            answer = obstore.get(self.store, self.place.key(file.path), options=options)
            content = bytes(answer.bytes())
        if "if_match" not in options and written(answer.meta) != file.version:
            raise UnreadableTableError(f"{file.path}: changed since it was listed")
        if len(content) != end - begin:
            raise UnreadableTableError(f"{file.path}: shorter than it was listed")
        return content

    def holds(self, file: FileInfo) -> bool:
        """Whether there is an object of the file's name: a listing shows folders' markers, too."""
        import obstore

        with self._asking(file.path):
            try:
                obstore.head(self.store, self.place.key(file.path))
            except FileNotFoundError:
                return False
        return True

    def count(self, requests: int) -> None:
        """Adds to the requests made."""
        with self._lock:
            self.requests += requests

    @contextmanager
    def _asking(self, path: str) -> Iterator[None]:
        """Counts one request; what obstore raises becomes the reason the file is not read."""
        from obstore.exceptions import BaseError

        if self.failures >= self.patience.failures:
            raise UnreadableTableError(f"{path}: store does not answer")
        self.count(1)
        try:
            yield
        except (FileNotFoundError, BaseError) as error:
            self._judge(error)
            raise unreadable(path, error, self.patience.silence_s) from None
        self.failures = 0

    def _judge(self, error: Exception) -> None:
        gone = type(error).__name__ == "GenericError" and not status_of(str(error))
        with self._lock:
            self.failures = self.failures + 1 + is_silence(str(error)) if gone else 0


def version_of(meta: Mapping[str, Any]) -> str:
    """What tells that an object was replaced: its ETag, else when and how large it was written."""
    return str(meta["e_tag"] or written(meta))


def written(meta: Mapping[str, Any]) -> str:
    """The version of an object without ETag."""
    return f"{_WRITTEN}{meta['last_modified']:%Y-%m-%dT%H:%M:%S}, {meta['size']} bytes"
