"""Lists of files without a table format: `_symlink_format_manifest`, Parquet's `_metadata`, r2d2's.

r2d2's own output is what a marker beside it names, or what only r2d2 can have written.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from io import BytesIO

import msgspec
import pyarrow.parquet as pq

from r2d2.errors import TableError
from r2d2.lake.owners.claims import Claims, LakeMetadata, Owner, parent_of, reason_of
from r2d2.storage.output import Marker
from r2d2.storage.switch import MARKER

SYMLINK, PARQUET = "symlink manifest table", "Parquet dataset"
_FOLDER = "/_symlink_format_manifest/"
_PARQUET_MAGIC = b"PAR1", b"PARE"
OWN_OUTPUT = "r2d2's own output in"
_RUN = (
    *("edges.csv", "degenerate.csv", "tables.csv", "graph.json", "funnel.json"),
    *("inventory.json", "plan.json", "recipes.json"),
)
_RESIDUALS = "residuals"


class _Graph(msgspec.Struct):
    """The keys that no other program writes into a file of the name graph.json together."""

    hash_version: int | str
    lake: str
    settings: dict[str, msgspec.Raw]
    tables: list[msgspec.Raw]
    edges: list[msgspec.Raw]
    open_pairs: int
    degenerate: list[msgspec.Raw]


def symlinks(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each `_symlink_format_manifest`: the files that its manifests list."""
    roots: dict[str, list[str]] = defaultdict(list)
    for name in names:
        last = name.rpartition("/")[2]
        if not last.startswith((".", "_")):
            roots[f"/{name}".partition(_FOLDER)[0][1:]].append(name)
    for root, manifests in sorted(roots.items()):
        yield _claims(lake, Owner(SYMLINK, root), manifests, root, _lines)


def _lines(content: bytes) -> list[str]:
    return [line.strip() for line in content.decode().splitlines() if line.strip()]


def parquet_metadata(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each `_metadata`: the files that its row groups are in.

    One that is damaged may name those in its folder. Others call files so that are not Parquet's:
    Flink the states that it saves.
    """
    for name in names:
        folder = parent_of(name)
        claims = _claims(lake, Owner(PARQUET, folder), [name], folder, _row_group_files)
        if claims.files or claims.outside or claims.unresolved:
            yield replace(claims, blocked=(folder,))


def _row_group_files(content: bytes) -> set[str]:
    if content and not content.startswith(_PARQUET_MAGIC):
        return set()
    footer = pq.read_metadata(BytesIO(content))
    groups = (footer.row_group(index) for index in range(footer.num_row_groups))
    names = {group.column(0).file_path for group in groups if group.num_columns}
    return {name for name in names if name}


def _claims(
    lake: LakeMetadata,
    owner: Owner,
    manifests: Sequence[str],
    base: str,
    parse: Callable[[bytes], Collection[str]],
) -> Claims:
    files: set[str] = set()
    outside: list[str] = []
    unresolved: list[tuple[str, str]] = []
    for path, names in lake.each(manifests, parse):
        if isinstance(names, TableError):
            unresolved.append((path, reason_of(names)))
            continue
        for name in names:
            place = lake.place(name, base)
            if place is None:
                outside.append(name)
            else:
                files.add(place)
    return Claims(owner, frozenset(files), (), tuple(outside), tuple(unresolved))


def own_output(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each folder that r2d2 wrote into: its own files there, and no others."""
    files: dict[str, set[str]] = {}
    folders: dict[str, set[str]] = {}
    for path, found in lake.each([n for n in names if n.endswith(MARKER)], _marked):
        if isinstance(found, Marker):
            folder = parent_of(path)
            files[folder] = {_in(folder, name) for name in found.files if "/" not in name}
            folders[folder] = {_in(folder, name) for name in found.folders if _is_plain(name)}
    graphs = [name for name in names if not name.endswith(MARKER)]
    unmarked = [name for name in graphs if name not in files.get(parent_of(name), ())]
    for path, is_run in lake.each(unmarked, _is_graph):
        if is_run and not isinstance(is_run, TableError):
            folder = parent_of(path)
            files.setdefault(folder, set()).update(_in(folder, name) for name in _RUN)
            folders.setdefault(folder, set()).add(_in(folder, _RESIDUALS))
    for folder, named in sorted(files.items()):
        inside = tuple(sorted(folders[folder]))
        yield Claims(Owner(OWN_OUTPUT, folder), frozenset(named), inside)


def _in(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name


def _marked(content: bytes) -> Marker | None:
    try:
        return msgspec.json.decode(content, type=Marker)
    except msgspec.DecodeError:
        return None


def _is_graph(content: bytes) -> bool:
    try:
        msgspec.json.decode(content, type=_Graph)
    except msgspec.DecodeError:
        return False
    return True
