"""Delta: the files outside a table's folder that any version in its log adds or removes.

Shallow clones and absolute paths name such files. All below the folder is the table's anyway. Where
all commits are there, and few, no checkpoint is read: it tells nothing more. Of a long log the
newest checkpoint and the commits after it are read: they have what was removed within the table's
retention.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq

from r2d2.errors import TableError, UnreadableTableError
from r2d2.formats.delta.log import newest_log
from r2d2.lake.owners.claims import (
    WHOLE_LAKE,
    Claims,
    LakeMetadata,
    Owner,
    is_absolute,
    is_below,
    parent_of,
    reason_of,
)

KIND = "Delta table"
FEW_COMMITS = 20
_COMMIT = re.compile(r"/_delta_log/(\d{20})\.json$")
_COMPACTED = re.compile(r"/_delta_log/\d{20}\.\d{20}\.compacted\.json$")
_CHECKPOINT = re.compile(r"/_delta_log/(\d{20})\.checkpoint\..*(?:parquet|json)$")
_SIDECAR = re.compile(r"/_delta_log/_sidecars/[^/]+\.parquet$")
# A commit without any of these names files below its table's folder only.
_FAR = re.compile(rb'"\s*:\s*"\\?/|:/|:\\/|\.\.|%3[aA]|%2[fF]|"storageType"\s*:\s*"p"')
_ACTIONS = ("add", "remove", "cdc")


def claims(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each `_delta_log` that names files outside its table's folder."""
    logs: dict[str, list[str]] = defaultdict(list)
    for name in names:
        logs[f"/{name}".partition("/_delta_log/")[0][1:]].append(name)
    wanted = {name for log in logs.values() for name in _worth_reading(lake, log)}
    json_files = {name for name in wanted if name.endswith(".json")}
    said: dict[str, set[str] | TableError] = dict(lake.each(json_files, _far_names))
    said |= dict(lake.each(wanted - json_files, _checkpoint_names))
    for root, log in sorted(logs.items()):
        yield _claims(lake, root, {name: said[name] for name in log if name in said})


def _worth_reading(lake: LakeMetadata, log: Sequence[str]) -> Iterator[str]:
    """The commits; where some are gone, or they are many, the checkpoints that tell of them."""
    commits = {int(match[1]) for name in log if (match := _COMMIT.search(f"/{name}"))}
    gapless = commits == set(range(len(commits))) and bool(commits)
    if len(commits) > FEW_COMMITS and (newest := _since_checkpoint(lake, log)):
        yield from newest
        return
    for name in log:
        path = f"/{name}"
        far = _CHECKPOINT.search(path) or _COMPACTED.search(path) or _SIDECAR.search(path)
        if _COMMIT.search(path) or (far and not gapless):
            yield name


def _since_checkpoint(lake: LakeMetadata, log: Sequence[str]) -> list[str]:
    """The newest checkpoint with all sidecars, and later commits; nothing where there is none."""
    files = {f"/{name}".partition("/_delta_log/")[2]: lake.files[name] for name in log}
    try:
        newest = newest_log(files)
    except UnreadableTableError:
        return []
    parts = (*newest.checkpoint, *newest.commits, *newest.sidecars.values())
    return [file.path for file in parts] if newest.checkpoint else []


def _claims(lake: LakeMetadata, root: str, said: Mapping[str, set[str] | TableError]) -> Claims:
    files, outside, unresolved = set(), [], []
    for path, names in sorted(said.items()):
        if isinstance(names, TableError):
            unresolved.append((path, reason_of(names)))
            continue
        for name in names:
            place = lake.place(name, root)
            if place is None:
                outside.append(name)
            elif not is_below(place, root):
                files.add(place)
    read_none = all(isinstance(names, TableError) for names in said.values())
    known = {parent_of(file) for file in files}
    return Claims(
        Owner(KIND, root),
        frozenset(files),
        (),
        tuple(outside),
        tuple(unresolved) if read_none or known else (),
        (WHOLE_LAKE,) if read_none else tuple(sorted(known)),
    )


def _far_names(content: bytes) -> set[str]:
    """The names in a commit, or a JSON checkpoint, that may lead out of the table's folder."""
    if not _FAR.search(content):
        if content.strip() and not content.rstrip().endswith(b"}"):
            raise ValueError("its last line is no whole JSON object")
        return set()
    names: set[str] = set()
    for line in content.split(b"\n"):
        if line.strip() and _FAR.search(line):
            names |= _names_of(json.loads(line))
    return {name for name in names if _is_far(name)}


def _names_of(row: Mapping[str, Any]) -> set[str]:
    names = set()
    for action in _ACTIONS:
        values = row.get(action)
        if values:
            names.add(unquote(str(values["path"])))
            vector = values.get("deletionVector") or {}
            if vector.get("storageType") == "p":
                names.add(str(vector["pathOrInlineDv"]))
    return names


def _is_far(name: str) -> bool:
    return is_absolute(name) or ".." in name.split("/")


def _checkpoint_names(content: bytes) -> set[str]:
    file = pq.ParquetFile(BytesIO(content))
    held = {column.path for column in file.schema}
    wanted = [name for action in _ACTIONS[:2] if (name := f"{action}.path") in held]
    if not wanted:
        return set()
    names: set[str] = set()
    for batch in file.iter_batches(columns=wanted, use_threads=False):
        for action in batch.columns:
            names |= {unquote(path) for path in action.field("path").to_pylist() if path}
    return {name for name in names if _is_far(name)}
