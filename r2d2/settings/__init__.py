"""Settings from TOML files, the environment and flags."""

import re
from fnmatch import fnmatchcase
from functools import lru_cache


def is_named(location: str, pattern: str) -> bool:
    """Whether the pattern is the location to the letter, or a glob that matches it.

    >>> is_named("t[12]", "t[12]"), is_named("t1", "t[12]")
    (True, True)
    """
    return location == pattern or fnmatchcase(location, pattern)


def is_among(location: str, pattern: str) -> bool:
    """Whether the pattern names the table at the location, or a folder above it.

    `./` in front, a slash at the end and doubled slashes do not count; the lake itself is `.`.

    >>> [is_among("b/x.csv", pattern) for pattern in ("b", "./b/", "b/x.csv/", "[ab]", "/b")]
    [True, True, True, True, False]
    """
    own = _written_plainly(pattern)
    if own == "." or is_named(location, own):
        return True
    return location.startswith(f"{own}/") or fnmatchcase(location, f"{own}/*")


@lru_cache
def _written_plainly(pattern: str) -> str:
    """The pattern as locations are written.

    >>> _written_plainly("././b//x/"), _written_plainly("./")
    ('b/x', '.')
    """
    short = re.sub("/+", "/", pattern)
    while short.startswith("./"):
        short = short[2:]
    return short.rstrip("/") or ("." if pattern.startswith("./") else pattern)
