"""r2d2's own output: files that a marker beside them names, or that only r2d2 can have written."""

from collections.abc import Iterator, Sequence

import msgspec

from r2d2.errors import TableError
from r2d2.lake.owners.claims import Claims, LakeMetadata, Owner, parent_of
from r2d2.storage.output import MARKER, Marker

KIND = "r2d2's own output in"
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


def claims(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
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
        yield Claims(Owner(KIND, folder), frozenset(named), inside)


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
