"""What a store's refusal means, and what to do about it.

A store's own message is never passed on, nor chained: S3 repeats session tokens in it.
"""

import re

from r2d2.errors import LakeError, UnreadableTableError
from r2d2.storage.url import Place

_STATUS = re.compile(r"status code: (\d{3}[\w ]*)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_CREDENTIALS = re.compile(r"//169\.254\.169\.254|/latest/api/token|token request|MissingAccount")
_SILENCE = re.compile(r"kind: Timeout|source: TimedOut|Timeout was reached")


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
    """What went wrong where no store answered."""
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
        return UnreadableTableError(f"{path}: access denied by the store")
    status = status_of(str(error))
    reason = f"the store answered {status}" if status else unanswered(str(error), silence_s)
    return UnreadableTableError(f"{path}: {reason}")


def unlistable(url: str, place: Place, error: Exception, silence_s: float) -> LakeError:
    """The error, with its remedy, of a store that does not list the lake."""
    message = str(error)
    status = status_of(message)
    endpoint = "AWS_ENDPOINT_URL" if place.is_s3 else "the account"
    if no_credentials(message):
        return LakeError(f"{url}: no credentials in the environment; set {place.credentials}")
    if "BadScheme" in message:
        return LakeError(f"{url}: the endpoint is plain http; set AWS_ALLOW_HTTP=true to allow it")
    if not status:
        reason = unanswered(message, silence_s)
        return LakeError(f"{url}: {reason}; check the network and {endpoint}")
    if status[:3] in ("401", "403"):
        who = f"of one who may list the bucket: {place.credentials}"
        return LakeError(f"{url}: access denied ({status}); set the credentials {who}")
    if status[:3] == "404":
        return LakeError(f"{url}: no such bucket ({status}); check its name and {endpoint}")
    if status[:3] in ("301", "307", "400") and place.is_s3:
        return LakeError(f"{url}: refused ({status}); set AWS_REGION to the bucket's region")
    return LakeError(f"{url}: the store answered {status}; try again later")
