"""Hudi, Paimon, Lance and Hive's ACID: whatever lies below the table's folder is the table's.

Metadata of Hudi and Paimon may name further places, read from properties, schemas and manifests.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from r2d2.errors import TableError
from r2d2.formats import HIVE_WRITE
from r2d2.lake.owners.claims import (
    Claims,
    LakeMetadata,
    Owner,
    above_keys,
    avro_records,
    is_absolute,
    is_below,
    reason_of,
)

HUDI, PAIMON, LANCE = "Hudi table", "Paimon table", "Lance table"
HIVE = "transactional Hive table"
_HIVE_WRITE = re.compile(HIVE_WRITE)
_PAIMON_NAME = re.compile(
    r"/(?:branch/[^/]+/)?(?:(snapshot)/(?:snapshot-\d+|EARLIEST|LATEST)|(schema)/schema-\d+)$"
)
_PAIMON_MANIFEST = re.compile(r"/manifest/manifest-(?!list-)[^/]+$")
_EXTERNAL = "external-path"


def hudi(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each folder with a `.hoodie`: all below it, and the places in its properties.

    A bootstrapped table reads the files of `hoodie.bootstrap.base.path`.
    """
    roots = {f"/{name}".partition("/.hoodie/")[0].lstrip("/") for name in names}
    paths = {f"{root}/.hoodie/hoodie.properties".lstrip("/"): root for root in sorted(roots)}
    found = dict(lake.each((path for path in paths if path in lake.files), _property_values))
    for path, root in paths.items():
        values = found.get(path, [])
        if isinstance(values, TableError):
            unresolved = ((path, reason_of(values)),)
            yield Claims(Owner(HUDI, root), folders=(root,), unresolved=unresolved)
            continue
        names = [value for value in values if is_absolute(value)]
        folders, outside = _with_places(lake, root, names)
        yield Claims(Owner(HUDI, root), frozenset(), folders, outside)


def _property_values(content: bytes) -> list[str]:
    """The values of a Java properties file, whose `:` and `=` may be escaped."""
    pairs = (line.partition("=") for line in content.decode().splitlines() if line[:1] != "#")
    return [value.strip().replace("\\", "") for _, _, value in pairs]


def _with_places(
    lake: LakeMetadata, root: str, names: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The table's folder and the others that it uses, and the names of those outside the lake.

    A folder that the table lies in itself is not its own.
    """
    places = {name: lake.place(name, root) for name in names}
    others = {place for place in places.values() if place and not is_below(root, place)}
    return (root, *sorted(others)), tuple(n for n, place in places.items() if place is None)


def paimon(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each folder that has two of Paimon's: snapshot, schema, manifest, bucket-0."""
    signs: dict[str, set[str]] = defaultdict(set)
    for name in names:
        match = _PAIMON_NAME.search(f"/{name}")
        if match:
            signs[f"/{name}"[1 : match.start()]].add(match[1] or match[2])
    if not signs:
        return
    manifests: dict[str, list[str]] = defaultdict(list)
    for path in lake.files:
        for mark in ("/manifest/", "/bucket-"):
            root, sign, _ = f"/{path}".partition(mark)
            while sign and root:
                if root[1:] in signs:
                    signs[root[1:]].add(mark)
                    manifests[root[1:]].append(path)
                root = root.rpartition("/")[0]
            if sign and "" in signs:
                signs[""].add(mark)
                manifests[""].append(path)
    for root in sorted(root for root, found in signs.items() if len(found) > 1):
        schemas = [name for name in names if "/schema/" in f"/{name}" and is_below(name, root)]
        yield _paimon_table(
            lake, root, schemas, [p for p in manifests[root] if _PAIMON_MANIFEST.search(f"/{p}")]
        )


def _paimon_table(
    lake: LakeMetadata, root: str, schemas: Sequence[str], manifests: Sequence[str]
) -> Claims:
    files, places, unresolved = set(), [], []
    for path, values in lake.each(schemas, _external_paths):
        if isinstance(values, TableError):
            unresolved.append((path, reason_of(values)))
        else:
            places += values
    folders, others = _with_places(lake, root, places)
    outside = list(others)
    for path, names in lake.each(manifests, _external_files):
        if names is None:
            if places:
                unresolved.append((path, "not Avro, of a table with external paths"))
            continue
        if isinstance(names, TableError):
            unresolved.append((path, reason_of(names)))
            continue
        for name in names:
            place = lake.place(name, root)
            if place is None:
                outside.append(name)
            else:
                files.add(place)
    return Claims(
        Owner(PAIMON, root),
        frozenset(files),
        folders,
        tuple(outside),
        tuple(unresolved),
    )


def _external_paths(content: bytes) -> list[str]:
    """The places in a schema's options: `data-file.external-paths` holds several."""
    data = msgspec.json.decode(content)
    options = data.get("options") or {}
    found = [str(value) for key, value in options.items() if _EXTERNAL in key]
    return [place.strip() for value in found for place in value.split(",") if is_absolute(place)]


def _external_files(content: bytes) -> list[str] | None:
    """The files of a manifest that lie outside the table's folder; None where it is not Avro."""
    if content.startswith((b"ORC", b"PAR1")):
        return None
    files = (record.get("_FILE") or {} for record in avro_records(content))
    return [str(file["_EXTERNAL_PATH"]) for file in files if file.get("_EXTERNAL_PATH")]


def lance(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each folder with `_versions`: all below it."""
    for root in sorted({f"/{name}".rpartition("/_versions/")[0][1:] for name in names}):
        yield Claims(Owner(LANCE, root), folders=(root,))


def hive(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each transactional table of Hive: all below it.

    Its folders of keys are the table's, too, where one of them has plain files still.
    """
    paths = (f"/{name}" for name in names)
    found = {path[1 : match.start()] for path in paths if (match := _HIVE_WRITE.search(path))}
    for root in sorted(set(map(above_keys, found))):
        yield Claims(Owner(HIVE, root), folders=(root,))
