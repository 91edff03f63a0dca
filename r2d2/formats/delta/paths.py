"""Paths of a Delta log resolved to listed files of the lake."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from r2d2.errors import UnreadableTableError
from r2d2.model import FileInfo
from r2d2.storage.local import Storage

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://)?(.*)", re.DOTALL)
_SAME_SCHEME = {"s3a": "s3", "s3n": "s3", "abfs": "abfss"}


@dataclass(frozen=True, slots=True)
class Places:
    """Finds listed files by the paths of one table's log. `lake` lists what is not below it."""

    storage: Storage
    location: str
    files: Mapping[str, FileInfo]
    lake: Callable[[], Mapping[str, FileInfo]]

    def find(self, path: str) -> FileInfo:
        """The listed file of a decoded path, which is relative to the table or absolute.

        Raises:
            UnreadableTableError: the path leaves the lake, or the file is not there.
        """
        if ".." in path.split("/") or "\0" in path:
            raise UnreadableTableError(f"{path!r} in _delta_log: a path with `..` is refused")
        is_absolute = path.startswith("/") or _SCHEME.fullmatch(path)
        inside = self._below_root(path) if is_absolute else below(self.location, path)
        file = self.files.get(inside)
        if file is None and not inside.startswith(below(self.location, "")):
            file = self.lake().get(inside)
        if file is None:
            raise UnreadableTableError(f"{inside} is named in _delta_log and is missing")
        return file

    def _below_root(self, path: str) -> str:
        root, full = _canonical(self.storage.absolute("")), _canonical(path)
        root = root.rstrip("/") + "/"
        if not full.startswith(root):
            raise UnreadableTableError(f"{path} in _delta_log lies outside the lake: refused")
        return full.removeprefix(root)


def below(location: str, path: str) -> str:
    """The path relative to the lake of a path relative to the table."""
    return f"{location}/{path}" if location else path


def _canonical(path: str) -> str:
    """A path or URL in one spelling: local ones without scheme and links, `s3a` as `s3`."""
    match = _SCHEME.fullmatch(path)
    if match is None:
        return os.path.realpath(path)
    scheme, rest = match[1].lower(), match[2]
    if scheme == "file":
        return os.path.realpath("/" + rest.lstrip("/"))
    return f"{_SAME_SCHEME.get(scheme, scheme)}://{rest}"
