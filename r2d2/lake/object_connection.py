"""One process's connection to an object store: built from the environment, patient for so long."""

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from r2d2.errors import LakeError, MissingDependencyError, UnreadableTableError
from r2d2.lake.object_place import Place
from r2d2.model import FileInfo

MODIFIED = "modified "
_STATUS = re.compile(r"status code: (\d{3} [\w ]+)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_ASKED_FOR_CREDENTIALS = re.compile(r"169\.254\.169\.254|token request|/latest/api/token")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a store.

    A store that says nothing costs a request at most two times `silence_s`, since no try begins
    after `retry_s`. `request_s` bounds one that drips. After `failures` requests in a row that
    found no store, nothing more is asked of it.
    """

    connect_s: float = 2
    silence_s: float = 4
    request_s: float = 30
    retry_s: float = 5
    retries: int = 6
    failures: int = 3


@dataclass(slots=True)
class Connection:
    """A store with the count of its requests and of its failures in a row."""

    place: Place
    store: Any
    patience: Patience
    requests: int = 0
    failures: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, file: FileInfo, begin: int, end: int) -> bytes:
        """The bytes in [begin, end) of the file as it was listed, in one request.

        Raises:
            UnreadableTableError: it is not there, not the same, not allowed, or nothing answers.
        """
        import obstore
        from obstore import exceptions

        self.refuse_where_dead(file.path)
        self.count(1)
        options: dict[str, Any] = {"range": (begin, end)}
        if not file.version.startswith(MODIFIED):
            options["if_match"] = file.version
        try:
            result = obstore.get(self.store, self.place.key(file.path), options=options)  # type: ignore[arg-type]
            content = bytes(result.bytes())
        # A store's own message is never passed on, nor chained: S3 repeats session tokens in it.
        except FileNotFoundError:
            raise UnreadableTableError(f"{file.path}: vanished since it was listed") from None
        except exceptions.PreconditionError:
            raise changed(file) from None
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
            raise UnreadableTableError(f"{file.path}: access denied by the store") from None
        except exceptions.BaseError as error:
            raise self._failed(file.path, str(error)) from None
        self.failures = 0
        if file.version.startswith(MODIFIED) and version_of(result.meta, etag=False) != file.version:
            raise changed(file)
        if len(content) != end - begin:
            raise UnreadableTableError(f"{file.path}: shorter than it was listed")
        return content

    def count(self, requests: int) -> None:
        """Adds to the requests made."""
        with self.lock:
            self.requests += requests

    def refuse_where_dead(self, path: str) -> None:
        """Raises UnreadableTableError where the store is known not to answer."""
        if self.failures >= self.patience.failures:
            raise UnreadableTableError(f"{path}: store does not answer")

    def _failed(self, path: str, message: str) -> UnreadableTableError:
        if (status := _STATUS.search(message)) and not _ASKED_FOR_CREDENTIALS.search(message):
            return UnreadableTableError(f"{path}: the store answered {status[1]}{code(message)}")
        with self.lock:
            self.failures += 1
        return UnreadableTableError(f"{path}: {unanswered(message, self.patience)}")


def changed(file: FileInfo) -> UnreadableTableError:
    """The error of a file that was replaced."""
    return UnreadableTableError(f"{file.path}: changed since it was listed")


def version_of(meta: Mapping[str, Any], etag: bool = True) -> str:
    """What tells that an object was replaced: its ETag, or when and how large it was written."""
    if etag and meta["e_tag"]:
        return str(meta["e_tag"])
    return f"{MODIFIED}{meta['last_modified']:%Y-%m-%dT%H:%M:%S}, {meta['size']} bytes"


def unanswered(message: str, patience: Patience) -> str:
    """What went wrong where no store answered."""
    if _ASKED_FOR_CREDENTIALS.search(message):
        return "no credentials in this process's environment"
    if "Timeout" in message or "TimedOut" in message:
        return f"no answer from the store in {patience.silence_s:g} s, more than once"
    return "the connection to the store failed, more than once"


def code(message: str) -> str:
    """S3's word for an error, in brackets; empty where it says none."""
    found = _CODE.search(message)
    return f" ({found[1]})" if found else ""


def refused(url: str, place: Place, message: str, patience: Patience) -> LakeError:
    """The error, with its remedy, of a store that would not list the lake."""
    found = _STATUS.search(message)
    status = found[1].strip() if found else ""
    remedy = f"set {place.kind.credentials}"
    if _ASKED_FOR_CREDENTIALS.search(message) or "MissingAccount" in message:
        return LakeError(f"{url}: no credentials in the environment; {remedy}")
    if "BadScheme" in message:
        return LakeError(f"{url}: the endpoint is plain http; set AWS_ALLOW_HTTP=true to allow it")
    if status.startswith(("401", "403")):
        return LakeError(
            f"{url}: access denied{code(message)}; {remedy} of one who may list the bucket"
        )
    if status.startswith("404"):
        return LakeError(
            f"{url}: no such bucket{code(message)}; check its name and {_endpoint(place)}"
        )
    if status.startswith(("301", "307", "400")) or "redirect" in message:
        return LakeError(
            f"{url}: the store refused the request{code(message)};"
            " set AWS_REGION to the bucket's region"
        )
    if status:
        return LakeError(f"{url}: the store answered {status}{code(message)}; try again later")
    return LakeError(
        f"{url}: {unanswered(message, patience)}; check the network and {_endpoint(place)}"
    )


def _endpoint(place: Place) -> str:
    return "AWS_ENDPOINT_URL" if place.is_s3 else "the account"


_PROCESS: list[int] = []
_CONNECTIONS: dict[str, Connection] = {}
_KEPT = 8
_LOCK = threading.Lock()


def connection(
    run: str, place: Place, settings: tuple[tuple[str, str], ...], patience: Patience
) -> Connection:
    """This process's connection of a storage and all its unpickled copies.

    Raises:
        LakeError: the process was forked from one that had used a store, and would hang.
    """
    if _PROCESS and _PROCESS[0] != os.getpid():
        raise LakeError(
            "object stores cannot be read after fork() by a process that already read them:"
            " start workers by `spawn`"
        )
    with _LOCK:
        if run not in _CONNECTIONS:
            _PROCESS[:] = [os.getpid()]
            while len(_CONNECTIONS) >= _KEPT:
                del _CONNECTIONS[next(iter(_CONNECTIONS))]
            _CONNECTIONS[run] = Connection(place, _store(place, settings, patience), patience)
        return _CONNECTIONS[run]


def _store(place: Place, settings: tuple[tuple[str, str], ...], patience: Patience) -> Any:
    try:
        from obstore import store
        from obstore.exceptions import BaseError
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{place.scheme}:// needs the package obstore: pip install obstore"
        ) from error
    values = dict(settings) | os.environ
    config = {
        name: value
        for name, value in settings
        if name in place.kind.settings and name not in os.environ and name != "AWS_ALLOW_HTTP"
    }
    check_endpoint(values)
    options: dict[str, Any] = {
        "client_options": _client(values, patience),
        "retry_config": _retries(patience),
        "config": config,
    }
    try:
        if place.is_s3:
            return store.S3Store(place.bucket, **options)
        if place.account:
            options["config"] = config | {"account_name": place.account}
            return store.AzureStore(place.bucket, **options)
        return store.GCSStore(place.bucket, **options)
    except (BaseError, ValueError):
        raise LakeError(
            f"{place.scheme}://{place.bucket}: a setting of the environment is not understood;"
            f" set {place.kind.credentials}"
        ) from None


def check_endpoint(values: Mapping[str, str]) -> None:
    """Raises LakeError for an endpoint without scheme: obstore panics at one."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"):
        if values.get(name) and not re.match(r"https?://[^/]", values[name]):
            raise LakeError(f"{name} must start with http:// or https:// and name a host")


def _client(values: Mapping[str, str], patience: Patience) -> dict[str, Any]:
    """Options that replace those of the environment, which is why AWS_ALLOW_HTTP is read here."""
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
