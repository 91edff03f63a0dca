"""Claims on files: what a table's metadata names, read once and resolved to files of the lake."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from posixpath import normpath
from typing import Any, TypeVar
from urllib.parse import unquote

from r2d2.errors import R2D2Error, TableError, UnreadableTableError
from r2d2.formats.avro.container import BLOCK_BYTES, blocks, content_of, header_of
from r2d2.formats.compression import decompressed
from r2d2.formats.errors import FOREIGN, reason, table_problem, translated
from r2d2.model import FileInfo
from r2d2.storage.local import Storage
from r2d2.text_tables import TOP_FOLDER

READS_AT_ONCE = 64
T = TypeVar("T")
WHOLE_LAKE = ""
"""A folder that could be anywhere: the lake's root."""
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/]*))?(/?.*)", re.DOTALL)
_ALIASES = {"s3a": "s3", "s3n": "s3", "abfs": "abfss", "wasb": "abfss", "wasbs": "abfss"}


@dataclass(frozen=True, slots=True)
class Owner:
    """A table of some kind by the folder that it is known by; the lake's root is ""."""

    kind: str
    location: str

    def __str__(self) -> str:
        return f"{self.kind} {self.location or TOP_FOLDER}"


@dataclass(frozen=True, slots=True)
class Claims:
    """What an owner's metadata names: files, and folders with all that is below them.

    `outside` are names of files and folders that are not in the lake, as far as can be seen.
    `unresolved` are (metadata file, reason): what these name may be any file below the folders
    `blocked`. `disputed` are files, with the reason, that some readers count and others leave out.
    """

    owner: Owner
    files: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    unresolved: tuple[tuple[str, str], ...] = ()
    blocked: tuple[str, ...] = (WHOLE_LAKE,)
    disputed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LakeMetadata:
    """A lake's files by path, and the bytes of those that are metadata.

    `names` are the paths that each kind of owner is recognised by, in order.
    """

    storage: Storage
    files: Mapping[str, FileInfo]
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def read(self, path: str) -> bytes:
        """The file's bytes.

        Raises:
            UnreadableTableError: it is not in the lake, or cannot be read.
        """
        file = self.files.get(path)
        if file is None:
            raise UnreadableTableError("missing")
        return self.storage.read(file)

    def each(
        self, paths: Iterable[str], parse: Callable[[bytes], T]
    ) -> Iterator[tuple[str, T | TableError]]:
        """Each file parsed, or the reason why it cannot be; in order, many requests at once."""

        def parsed(path: str) -> tuple[str, T | TableError]:
            try:
                return path, parse(self.read(path))
            except Exception as error:  # noqa: BLE001  # one file's trouble blocks what it names
                is_damage = isinstance(error, FOREIGN)
                told = reason(error) if is_damage else table_problem(error)
                return path, UnreadableTableError(told)

        ordered = sorted(paths)
        if "://" not in self.storage.url:
            yield from map(parsed, ordered)
            return
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            for start in range(0, len(ordered), READS_AT_ONCE):
                yield from pool.map(parsed, ordered[start : start + READS_AT_ONCE])

    def below(self, folder: str) -> Iterator[str]:
        """The files below the folder; a pass over all."""
        start = f"{folder}/" if folder else ""
        return (path for path in self.files if path.startswith(start))

    def folders(self) -> set[str]:
        """All folders that files lie in, but for the lake's own; a pass over all."""
        found: set[str] = set()
        for path in self.files:
            folder = parent_of(path)
            while folder and folder not in found:
                found.add(folder)
                folder = parent_of(folder)
        return found

    def place(self, name: str, base: str, moved: "Moved | None" = None) -> str | None:
        """The path in the lake of a name in metadata, None where that lies outside.

        A relative name is below the folder `base`. `moved` is tried where the name as it stands
        leads to no file.
        """
        inside = self._inside(name, base)
        if moved is None or (inside is not None and inside in self.files):
            return inside
        again = moved.place(name)
        return inside if again is None else again

    def _inside(self, name: str, base: str) -> str | None:
        root = _root(self.storage.absolute(""))
        found = canonical(name if is_absolute(name) else f"{root}{base}/{name}")
        if not f"{found}/".startswith(root):
            return None
        path = found[len(root) :]
        plain = unquote(path)
        return plain if path not in self.files and plain in self.files else path


@dataclass(frozen=True, slots=True)
class Moved:
    """A lake that was copied or moved since its metadata was written: old start, new start."""

    before: str
    now: str

    @classmethod
    def of(cls, stated: str, actual: str) -> "Moved | None":
        """The move of a table that says it is at `stated` and lies at `actual` in the lake."""
        old, new = canonical(stated).rstrip("/").split("/"), actual.split("/") if actual else []
        while new and len(old) > 1 and old[-1] == new[-1]:
            old.pop()
            new.pop()
        return cls("/".join(old), "/".join(new)) if "".join(old) else None

    def place(self, name: str) -> str | None:
        """The path in the lake of an absolute name, None where it did not move along."""
        full = canonical(name)
        if not full.startswith(f"{self.before}/"):
            return None
        rest = full[len(self.before) + 1 :]
        return f"{self.now}/{rest}" if self.now else rest


def is_absolute(name: str) -> bool:
    """Whether a name is a URL or begins at a file system's root."""
    return name.startswith("/") or _URL.fullmatch(name) is not None


def canonical(name: str) -> str:
    """An absolute name in one spelling: local ones without scheme and links, `s3a` as `s3`.

    >>> canonical("s3a://b//x/./y.parquet")
    's3://b/x/y.parquet'
    """
    match = _URL.fullmatch(name)
    scheme = match[1].lower() if match else "file"
    if scheme == "file":
        path = "/" + (match[3] if match else name).lstrip("/")
        folder, _, last = normpath(path).rpartition("/")
        return f"{_real_folder(folder or '/').rstrip('/')}/{last}"
    assert match is not None
    path = normpath("/" + match[3].lstrip("/"))
    authority = (match[2] or "").replace(".blob.core.", ".dfs.core.")
    return f"{_ALIASES.get(scheme, scheme)}://{authority}{path}".rstrip("/")


@lru_cache(maxsize=16)
def _root(lake: str) -> str:
    return canonical(lake).rstrip("/") + "/"


@lru_cache(maxsize=4096)
def _real_folder(path: str) -> str:
    return os.path.realpath(path)


def parent_of(path: str) -> str:
    """The folder that a path lies in, "" for the lake's root."""
    return path.rpartition("/")[0]


def above_keys(folder: str) -> str:
    """The folder, or the one above its `key=value` folders."""
    while folder.rpartition("/")[2].find("=") > 0:
        folder = parent_of(folder)
    return folder


def is_below(path: str, folder: str) -> bool:
    """Whether a path is the folder's own or lies below it."""
    return not folder or path == folder or path.startswith(f"{folder}/")


def like_outside(outside: Iterable[str], paths: Iterable[str]) -> set[str]:
    """The paths that end as a name outside does, in two parts or as a whole.

    The lake, or a part of it, may be a copy of that place.
    """
    by_end: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_end["/".join(path.split("/")[-2:])].append(path)
    found: set[str] = set()
    for name in outside:
        parts = name.rstrip("/").split("/")
        for end in ("/".join(parts[-2:]), parts[-1]):
            found.update(by_end.get(end, ()))
    return found


def avro_records(content: bytes) -> Iterator[dict[str, Any]]:
    """The records of an Avro file as plain values.

    Raises:
        UnreadableTableError: it is no Avro file, or damaged.
    """
    from fastavro import parse_schema, schemaless_reader

    with translated(UnreadableTableError, "damaged"):
        stream = BytesIO(content)
        header = header_of(stream)
        schema = parse_schema(_without_logical_types(header.schema))
        for block in blocks(stream, header, header.end, len(content)):
            plain = BytesIO(decompressed(header.codec, content_of(stream, block), BLOCK_BYTES))
            for _ in range(block.rows):
                yield schemaless_reader(plain, schema, None)


def _without_logical_types(schema: Any) -> Any:
    """The schema whose values are numbers, bytes and texts: no date can be out of Python's."""
    if isinstance(schema, dict):
        return {
            key: _without_logical_types(value)
            for key, value in schema.items()
            if key != "logicalType"
        }
    return [_without_logical_types(part) for part in schema] if isinstance(schema, list) else schema


def reason_of(error: R2D2Error) -> str:
    """An error's message without the name of the file, in one line."""
    return " ".join(str(error).split())[:200]
