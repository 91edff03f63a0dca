"""This process's connections to object stores, built from its own environment and never carried.

obstore runs on threads, which a forked child does not have: there, every request would wait for
ever, of a new store too.
"""

import os
import re
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from r2d2.errors import LakeError
from r2d2.extras import require
from r2d2.lake.object_connection import Connection, Patience
from r2d2.lake.object_place import Place

_KEPT = 16
_CONNECTIONS: dict[str, Connection] = {}
_USED_BY: list[int] = []
_LOCK = threading.Lock()


def connection_of(
    run: str, place: Place, settings: Mapping[str, str], patience: Patience
) -> Connection:
    """The connection that a storage and its copies in this process share.

    Raises:
        LakeError: the environment is not understood, or the process is a fork of one that read.
    """
    if _USED_BY and [os.getpid()] != _USED_BY:
        raise LakeError(
            f"{place.scheme}://{place.bucket}: cannot be read in a process that was forked"
            " from one that read an object store; start workers by `spawn`"
        )
    with _LOCK:
        if run not in _CONNECTIONS:
            while len(_CONNECTIONS) >= _KEPT:
                del _CONNECTIONS[next(iter(_CONNECTIONS))]
            _CONNECTIONS[run] = Connection(place, store_of(place, settings, patience), patience)
            _USED_BY[:] = [os.getpid()]
        return _CONNECTIONS[run]


def store_of(place: Place, settings: Mapping[str, str], patience: Patience) -> Any:
    """obstore's store; the process's own environment comes before the settings carried along."""
    require("cloud", f"{place.scheme}://")
    from obstore import store
    from obstore.exceptions import BaseError

    values = {**settings, **os.environ}
    options: dict[str, Any] = {"client_options": _client(values, patience)}
    options["retry_config"] = _retries(patience)
    try:
        if place.is_s3:
            return store.S3Store(place.bucket, config=_s3(settings), **options)
        if place.account:
            config: Any = {"account_name": place.account}
            return store.AzureStore(place.bucket, config=config, **options)
        return store.GCSStore(place.bucket, **options)
    except (BaseError, ValueError):
        where = f"{place.scheme}://{place.bucket}"
        raise LakeError(f"{where}: cannot be opened; set {place.credentials}") from None


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
