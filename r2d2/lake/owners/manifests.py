"""Lists of files without a table format: `_symlink_format_manifest`, and Parquet's `_metadata`."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from io import BytesIO

import pyarrow.parquet as pq

from r2d2.errors import TableError
from r2d2.lake.owners.claims import Claims, LakeMetadata, Owner, parent_of, reason_of

SYMLINK, PARQUET = "symlink manifest table", "Parquet dataset"
_FOLDER = "/_symlink_format_manifest/"


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
    """The claims of each `_metadata`: the files that its row groups are in."""
    for name in names:
        folder = parent_of(name)
        yield _claims(lake, Owner(PARQUET, folder), [name], folder, _row_group_files)


def _row_group_files(content: bytes) -> set[str]:
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
