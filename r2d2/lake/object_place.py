"""Where in which store a lake is: the parts of its URL, and the settings that hold no secret."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from r2d2.errors import UsageError

_SIGNED = re.compile(r"[?&](sig|x-amz-signature|x-goog-signature)=", re.I)


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between stores: how to get in, and which settings may travel with a job."""

    credentials: str
    settings: tuple[str, ...]


_S3 = Kind(
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN too where they are temporary;"
    ' `eval "$(aws configure export-credentials --format env)"` sets them from a profile)',
    (
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ALLOW_HTTP",
        "AWS_SKIP_SIGNATURE",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    ),
)
_GCS = Kind("GOOGLE_APPLICATION_CREDENTIALS (the path of a key file)", ())
_AZURE = Kind(
    "AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID, AZURE_CLIENT_SECRET"
    " and AZURE_TENANT_ID",
    ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ENDPOINT"),
)
_KINDS = {"s3": _S3, "s3a": _S3, "gs": _GCS, "abfss": _AZURE, "abfs": _AZURE}


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix of a bucket (on Azure: of an account's container)."""

    scheme: str
    bucket: str
    prefix: str
    account: str = ""

    @property
    def kind(self) -> Kind:
        """What the store needs."""
        return _KINDS[self.scheme]

    @property
    def is_s3(self) -> bool:
        """Whether the store speaks S3's protocol."""
        return self.kind is _S3

    def key(self, path: str) -> str:
        """The whole key of a path relative to the prefix."""
        return f"{self.prefix}/{path}" if self.prefix else path


def place_of(url: str) -> Place:
    """The parts of a lake's URL, taken literally: a key may hold `%`, `#` and `?`.

    Raises:
        UsageError: the URL is of no known kind, or holds a secret, which is then not repeated.
    """
    scheme, _, rest = url.partition("://")
    authority, _, prefix = rest.partition("/")
    if scheme not in _KINDS:
        raise UsageError(f"{scheme}://: not supported; a lake is a folder or one of {_schemes()}")
    container, at, host = authority.partition("@")
    azure = _KINDS[scheme] is _AZURE
    if _SIGNED.search(url) or ":" in container or (at and not azure):
        raise UsageError(
            f"{scheme}://…: the URL holds a secret; set {_KINDS[scheme].credentials} instead"
        )
    prefix = prefix.rstrip("/")
    if not container or (azure and not at) or (prefix and unreadable_name(prefix)):
        raise UsageError(f"{url}: expected one of {_schemes()}, the path without empty parts")
    return Place(scheme, container, prefix, host.partition(".")[0])


def _schemes() -> str:
    return "s3://bucket/path, gs://bucket/path, abfss://container@account.dfs.core.windows.net/path"


def unreadable_name(key: str) -> str | None:
    """Why obstore cannot name a key, None where it can."""
    if any(part in ("", ".", "..") for part in key.split("/")):
        return "its name has an empty, `.` or `..` part: rename the object"
    if any(letter < " " or letter == "\x7f" for letter in key):
        return "its name has a control character: rename the object"
    return None


def settings_of(environment: Mapping[str, str] = os.environ) -> tuple[tuple[str, str], ...]:
    """The environment's settings that a job may carry to other machines: none holds a secret."""
    names = (*_S3.settings, *_AZURE.settings)
    found = ((name, environment.get(name, "")) for name in names)
    return tuple((name, value) for name, value in found if value and "@" not in value)
