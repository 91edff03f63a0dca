"""Connections to object stores: requests counted, refusals explained, silent stores given up.

Each process connects anew from its environment. obstore runs on threads, which a forked child does
not have: there, every request would wait for ever, of a new store too.

A store's message is never passed on, nor chained: S3 repeats session tokens in it.
"""

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from r2d2.errors import DeniedError, LakeError, UnansweredError, UnreadableTableError, UsageError
from r2d2.extras import require
from r2d2.model import FileInfo
from r2d2.storage.url import ObjectUrl

# obstore lets go of the GIL, so threads do; at 30 ms a request, 64 of them read 2,000 footers a s.
CONCURRENT_READS = 64
_WRITTEN = "written "
_NAMED = "version "
_LONGEST = 86_400
_MOST_CONNECTIONS = 16
_USED_BY: list[int] = []
_LOCK = threading.Lock()
_STATUS = re.compile(r"status code: (\d{3}[\w ]*)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_CREDENTIALS = re.compile(r"//169\.254\.169\.254|/latest/api/token|token request|MissingAccount")
_SILENCE = re.compile(r"kind: Timeout|source: TimedOut|Timeout was reached")


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits of waiting for a store.

    One that falls silent costs a request at most `retry_s` + `silence_s`, since no try begins
    after `retry_s`. `request_s` bounds a try that drips. After `failures` requests in a row that
    found no store, no more are made; one that met silence counts twice. A listing that brings no
    object for `listing_s` has not advanced.
    """

    connect_s: float = 2.0
    silence_s: float = 4.0
    request_s: float = 30.0
    retry_s: float = 5.0
    retries: int = 6
    failures: int = 3
    listing_s: float = 60.0


def patience_of(environment: Mapping[str, str] = os.environ) -> Patience:
    """The limits that variables set, such as `R2D2_STORE_SILENCE_S=30`; the others' defaults.

    Raises:
        UsageError: a variable is no positive number.
    """
    given: dict[str, Any] = {}
    for limit in fields(Patience):
        name = f"R2D2_STORE_{limit.name.upper()}"
        if name in environment:
            kind: type[int] | type[float] = int if isinstance(limit.default, int) else float
            try:
                given[limit.name] = kind(environment[name])
            except ValueError:
                given[limit.name] = -1
            if not 0 <= given[limit.name] < _LONGEST or not (given[limit.name] or kind is int):
                expected = "a number of seconds above 0" if kind is float else "a whole number"
                raise UsageError(f"{name}={environment[name]}: give {expected}")
    return Patience(**given)


@dataclass(slots=True)
class Connection:
    """A store of obstore's, the requests made of it, and how many in a row found no store."""

    address: ObjectUrl
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
        if file.version.startswith(_NAMED):
            options["version"] = file.version.removeprefix(_NAMED)
        elif not file.version.startswith(_WRITTEN):
            options["if_match"] = file.version
        with self._asking(file.path):
            answer = obstore.get(self.store, self.address.key(file.path), options=options)
            content = bytes(answer.bytes())
        if len(options) == 1 and written(answer.meta) != file.version:
            raise UnreadableTableError(f"{file.path}: changed since it was listed")
        answered = answer.meta["e_tag"]
        if "if_match" in options and answered and _bare(answered) != _bare(file.version):
            # A store that does not know If-Match gives what is there now.
            raise UnreadableTableError(f"{file.path}: changed since it was listed")
        if len(content) != end - begin:
            raise UnreadableTableError(f"{file.path}: shorter than it was listed")
        return content

    def holds(self, file: FileInfo) -> bool:
        """Whether there is an object of the file's name: a listing shows folders' markers, too."""
        import obstore

        with self._asking(file.path):
            try:
                obstore.head(self.store, self.address.key(file.path))
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
            raise UnansweredError(f"{path}: store does not answer")
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


def _bare(etag: str) -> str:
    """The ETag as listings and answers have it alike: Azure quotes it in answers only."""
    return etag.removeprefix("W/").strip('"')


def version_of(meta: Mapping[str, Any]) -> str:
    """The version of an object: its ETag, else when and how large it was written."""
    return str(meta["e_tag"] or written(meta))


def version_named(id_: str) -> str:
    """The version of an object that a bucket keeps under this id, whatever is there now."""
    return _NAMED + id_


def written(meta: Mapping[str, Any]) -> str:
    """The version of an object without ETag."""
    return f"{_WRITTEN}{meta['last_modified']:%Y-%m-%dT%H:%M:%S}, {meta['size']} bytes"


_CONNECTIONS: dict[str, Connection] = {}


def connection_of(
    run: str, address: ObjectUrl, settings: Mapping[str, str], patience: Patience
) -> Connection:
    """The connection that a storage and its copies in this process share.

    Raises:
        LakeError: the environment is not understood, or the process is a fork of one that read.
    """
    if _USED_BY and [os.getpid()] != _USED_BY:
        raise LakeError(
            f"{address.scheme}://{address.bucket}: cannot be read in a process that was forked"
            " from one that read an object store; start workers by `spawn`"
        )
    with _LOCK:
        if run not in _CONNECTIONS:
            while len(_CONNECTIONS) >= _MOST_CONNECTIONS:
                del _CONNECTIONS[next(iter(_CONNECTIONS))]
            _CONNECTIONS[run] = Connection(address, store_of(address, settings, patience), patience)
            _USED_BY[:] = [os.getpid()]
        return _CONNECTIONS[run]


def store_of(address: ObjectUrl, settings: Mapping[str, str], patience: Patience) -> Any:
    """obstore's store; the process's own environment comes before the settings carried along."""
    require("cloud", f"{address.scheme}://")
    from obstore import store
    from obstore.exceptions import BaseError

    values = {**settings, **os.environ}
    options: dict[str, Any] = {"client_options": _client(values, patience)}
    options["retry_config"] = _retries(patience)
    try:
        if address.is_s3:
            return store.S3Store(address.bucket, config=_s3(settings), **options)
        if address.account:
            config: Any = {"account_name": address.account}
            return store.AzureStore(address.bucket, config=config, **options)
        return store.GCSStore(address.bucket, **options)
    except (BaseError, ValueError):
        where = f"{address.scheme}://{address.bucket}"
        raise LakeError(f"{where}: cannot be opened; set {address.credentials}") from None


def endpoint_of(values: Mapping[str, str]) -> str | None:
    """S3's endpoint, None for Amazon's own.

    Raises:
        LakeError: it has no scheme, at which obstore panics.
    """
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        if endpoint := values.get(name):
            if not re.match(r"https?://[^/]", endpoint):
                raise LakeError(f"{name} must be http:// or https:// and a host")
            return endpoint
    return None


def _s3(settings: Mapping[str, str]) -> Any:
    endpoint_of({**settings, **os.environ})
    carried = {name: value for name, value in settings.items() if name not in os.environ}
    carried.pop("AWS_ALLOW_HTTP", None)
    return carried


def _client(values: Mapping[str, str], patience: Patience) -> Any:
    """Client options; given any, obstore takes no others from the environment."""
    return {
        "allow_http": values.get("AWS_ALLOW_HTTP", "").lower() in ("true", "1"),
        "connect_timeout": timedelta(seconds=patience.connect_s),
        "read_timeout": timedelta(seconds=patience.silence_s),
        "timeout": timedelta(seconds=patience.request_s),
    }


def _retries(patience: Patience) -> Any:
    return {
        "max_retries": patience.retries,
        "retry_timeout": timedelta(seconds=patience.retry_s),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=1),
            "base": 2,
        },
    }


def no_credentials(message: str) -> bool:
    """Whether the store was not even asked, because nobody said as whom."""
    return bool(_CREDENTIALS.search(message))


def status_of(message: str) -> str:
    """The HTTP status and S3's word for it; empty where no store answered."""
    status, code = _STATUS.search(message), _CODE.search(message)
    if not status or no_credentials(message):
        return ""
    return status[1].strip() + (f", {code[1]}" if code else "")


def is_silence(message: str) -> bool:
    """Whether the store was waited for in vain."""
    return bool(_SILENCE.search(message))


def unanswered(message: str, silence_s: float) -> str:
    """The reason where no store answered."""
    if no_credentials(message):
        return "no credentials in this process's environment"
    if is_silence(message):
        return f"no answer from the store for {silence_s:g} s"
    return "the connection to the store failed"


def unreadable(path: str, error: Exception, silence_s: float) -> UnreadableTableError:
    """The error of a file which the store does not give."""
    from obstore import exceptions

    if isinstance(error, FileNotFoundError):
        return UnreadableTableError(f"{path}: vanished since it was listed")
    if isinstance(error, exceptions.PreconditionError):
        return UnreadableTableError(f"{path}: changed since it was listed")
    if isinstance(error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)):
        return DeniedError(f"{path}: access denied by the store")
    status = status_of(str(error))
    if not status:
        return UnansweredError(f"{path}: {unanswered(str(error), silence_s)}")
    # It is overloaded, or failed: the same request may be answered a moment later.
    passes = status.startswith(("408", "429", "5"))
    kind = UnansweredError if passes else UnreadableTableError
    return kind(f"{path}: the store answered {status}")


def unlistable(url: str, address: ObjectUrl, error: Exception, silence_s: float) -> LakeError:
    """The error, with its remedy, of a store that does not list the lake."""
    message = str(error)
    status = status_of(message)
    endpoint = "AWS_ENDPOINT_URL" if address.is_s3 else "the account"
    if no_credentials(message):
        return LakeError(f"{url}: no credentials in the environment; set {address.credentials}")
    if "BadScheme" in message:
        return LakeError(f"{url}: the endpoint is plain http; set AWS_ALLOW_HTTP=true to allow it")
    if not status:
        reason = unanswered(message, silence_s)
        return LakeError(f"{url}: {reason}; check the network and {endpoint}")
    if status[:3] in ("401", "403"):
        who = f"of one who may list the bucket: {address.credentials}"
        return LakeError(f"{url}: access denied ({status}); set the credentials {who}")
    if status[:3] == "404":
        return LakeError(f"{url}: no such bucket ({status}); check its name and {endpoint}")
    if status[:3] in ("301", "307", "400") and address.is_s3:
        return LakeError(f"{url}: refused ({status}); set AWS_REGION to the bucket's region")
    return LakeError(f"{url}: the store answered {status}; try again later")
