"""Files grouped into tables, by their names alone.

A folder is one table where a format claims it (Delta by its `_delta_log`), or where it has data
files of one format under Hive-style folders (`key=value`). Else every data file is a table.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from r2d2 import formats
from r2d2.formats.hive import partitions_of
from r2d2.lake.file_group import FileGroup
from r2d2.model import FileInfo
from r2d2.storage.local import Listing, is_hidden


@dataclass(frozen=True, slots=True)
class Grouping:
    """A lake's file groups by location, and how many files were left out by reason."""

    groups: tuple[FileGroup, ...]
    skipped: Mapping[str, int]


def group_files(listing: Listing) -> Grouping:
    """The listing's files in groups that make tables, in order of location."""
    skipped = Counter(listing.skipped)
    roots = _table_folders(listing.files)
    names = {ending: known.name for known in formats.FORMATS for ending in known.endings}
    owned: dict[tuple[str, str, bool], list[FileInfo]] = defaultdict(list)
    for file in listing.files:
        root = _root_of(file.path, roots)
        if root is not None:
            owned[root, roots[root], False].append(file)
        elif any(map(is_hidden, file.path.split("/"))):
            skipped["name starts with _ or ."] += 1
        elif (kind := _format_of(file.path, names)) is None:
            skipped["no data file by its name"] += 1
        else:
            folder = _partition_root(file.path)
            key = (file.path, kind, False) if folder is None else (folder, kind, True)
            owned[key].append(file)
    groups = _split_mixed(
        [
            FileGroup(location, kind, tuple(files), partitioned)
            for (location, kind, partitioned), files in owned.items()
        ]
    )
    return Grouping(tuple(sorted(groups, key=lambda group: group.location)), dict(skipped))


def _table_folders(files: Iterable[FileInfo]) -> dict[str, str]:
    """The folders that a format claims as a whole, with the format's name."""
    roots: dict[str, str] = {}
    markers = [(known.marker, known.name) for known in formats.FORMATS if known.marker]
    for file in files:
        path = f"/{file.path}"
        for marker, name in markers:
            if match := marker.search(path):
                roots.setdefault(path[1 : match.start()], name)
                break
    return roots


def _root_of(path: str, roots: Mapping[str, str]) -> str | None:
    if not roots:
        return None
    parts = path.split("/")[:-1]
    for depth in range(len(parts) + 1):
        root = "/".join(parts[:depth])
        if root in roots:
            return root
    return None


def _format_of(path: str, names: Mapping[str, str]) -> str | None:
    """The format that a file's name promises, None where it is no data file's."""
    parts = path.rpartition("/")[2].lower().rsplit(".", 2)
    return names.get(f".{parts[-1]}") or names.get("." + ".".join(parts[-2:]))


def _partition_root(path: str) -> str | None:
    parts = path.split("/")
    for depth, part in enumerate(parts[:-1]):
        if part.find("=") > 0:
            rest = parts[depth:-1]
            return "/".join(parts[:depth]) if all(p.find("=") > 0 for p in rest) else None
    return None


def _split_mixed(groups: Sequence[FileGroup]) -> list[FileGroup]:
    """The groups, those folders taken apart whose files do not form one table."""
    at = Counter(group.location for group in groups if group.partitioned)
    whole: list[FileGroup] = []
    for group in groups:
        if group.partitioned and (at[group.location] > 1 or len(_partition_keys(group)) > 1):
            whole += [FileGroup(file.path, group.format, (file,)) for file in group.files]
        else:
            whole.append(group)
    return whole


def _partition_keys(group: FileGroup) -> set[tuple[str, ...]]:
    """The keys in the folder names of each file; one tuple where all files have the same."""
    return {
        tuple(key for key, _ in partitions_of(file.path, group.location)) for file in group.files
    }
