"""Object stores' URLs: their parts, and the settings that may travel with a job."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from r2d2.errors import UsageError

FORMS = "s3://bucket/path, gs://bucket/path, abfss://container@account.dfs.core.windows.net/path"
_SIGNED = re.compile(r"[?&](sig|x-amz-signature|x-goog-signature)=", re.I)
_S3 = ("s3", "s3a")
_AZURE = ("abfss", "abfs")
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, with AWS_SESSION_TOKEN if they are"
    ' temporary (from a profile: eval "$(aws configure export-credentials --format env)")',
    "gs": "GOOGLE_APPLICATION_CREDENTIALS (the path of a key file)",
    "ab": "AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID,"
    " AZURE_CLIENT_SECRET and AZURE_TENANT_ID",
}
_SETTINGS = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ALLOW_HTTP",
    "AWS_SKIP_SIGNATURE",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
)


@dataclass(frozen=True, slots=True)
class ObjectUrl:
    """A prefix of a bucket (on Azure: of an account's container)."""

    scheme: str
    bucket: str
    prefix: str
    account: str = ""

    @property
    def is_s3(self) -> bool:
        """Whether the store speaks S3's protocol."""
        return self.scheme in _S3

    @property
    def credentials(self) -> str:
        """The names of the variables that let one in."""
        return _CREDENTIALS[self.scheme[:2]]

    def key(self, path: str) -> str:
        """The whole key of a path relative to the prefix."""
        return f"{self.prefix}/{path}" if self.prefix else path


def object_url(url: str) -> ObjectUrl:
    """The parts of a lake's URL, taken literally: a key may hold `%`, `#` and `?`.

    Raises:
        UsageError: the URL is of no known form, or holds a secret, which is then not repeated.
    """
    scheme, _, rest = url.partition("://")
    authority, _, prefix = rest.partition("/")
    prefix = prefix.rstrip("/")
    container, at, host = authority.partition("@")
    if scheme not in (*_S3, *_AZURE, "gs"):
        raise UsageError(f"{scheme}://: not supported; a lake is a folder or one of {FORMS}")
    address = ObjectUrl(scheme, container, prefix, host.partition(".")[0])
    if _SIGNED.search(url) or ":" in container or (at and scheme not in _AZURE):
        raise UsageError(f"{scheme}://…: the URL holds a secret; set {address.credentials} instead")
    if not container or bool(address.account) != (scheme in _AZURE):
        raise UsageError(f"{url}: expected one of {FORMS}")
    if prefix and (reason := name_problem(prefix)):
        raise UsageError(f"{url!r}: {reason}")
    return address


def name_problem(key: str) -> str | None:
    """Why obstore cannot name a key; None where it can."""
    if any(part in ("", ".", "..") for part in key.split("/")):
        return "a name with an empty, `.` or `..` part cannot be read; rename it"
    if any(letter < " " or letter == "\x7f" for letter in key):
        return "a name with a control character cannot be read; rename it"
    return None


def settings_of(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The settings of S3 that a job may carry to other machines: none holds a secret."""
    found = ((name, environment.get(name, "")) for name in _SETTINGS)
    return {name: value for name, value in found if value and "@" not in value}
