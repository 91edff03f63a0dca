"""Owners: tables whose metadata names files, wherever these lie. A file belongs to one table.

A kind of owner is a pattern that its metadata is recognised by, and a function from the lake's
names and that metadata's bytes to claims. A lake without such names is not read for it.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from r2d2.formats import HIVE_WRITE, ICEBERG_LIST
from r2d2.formats.errors import table_problem
from r2d2.lake.owners import catalogues, delta, folders, iceberg, manifests
from r2d2.lake.owners.claims import Claims, LakeMetadata, Owner, is_below, like_outside, parent_of
from r2d2.lake.wholeness import left_out_reasons
from r2d2.storage.local import NOT_LISTED, Listing, Storage

NO_CATALOGUE = "no catalogue was asked"


@dataclass(frozen=True, slots=True)
class OwnerKind:
    """A kind of owner. `pattern` is found in `/` and the path of its metadata.

    `folders` are names of folders of metadata: one that was left out of the listing is an owner
    that is not resolved. `by_name`: that its metadata is there says something, though left out.
    """

    name: str
    pattern: str
    claims: Callable[[LakeMetadata, Sequence[str]], Iterator[Claims]]
    folders: tuple[str, ...] = ()
    by_name: bool = False


OWN = "r2d2"
OWNER_KINDS = (
    OwnerKind(OWN, r"/\.r2d2$|/graph\.json$", manifests.own_output),
    OwnerKind("delta", r"/_delta_log/", delta.claims, ("_delta_log",)),
    OwnerKind("hudi", r"/\.hoodie/", folders.hudi, (".hoodie",)),
    OwnerKind(
        "iceberg",
        rf"\.metadata\.json(?:\.gz)?$|/metadata/(?:version-hint\.text|{ICEBERG_LIST})$",
        iceberg.claims,
        ("metadata",),
    ),
    OwnerKind(
        "paimon",
        r"/snapshot/(?:snapshot-\d+|EARLIEST|LATEST)$|/schema/schema-\d+$",
        folders.paimon,
        ("snapshot", "schema"),
    ),
    OwnerKind("lance", r"/_versions/[^/]+\.manifest$", folders.lance, ("_versions",)),
    OwnerKind("transactional Hive table", HIVE_WRITE, folders.hive, by_name=True),
    OwnerKind(
        "symlink manifest",
        r"/_symlink_format_manifest/",
        manifests.symlinks,
        ("_symlink_format_manifest",),
    ),
    OwnerKind(
        "Spark streaming sink", r"/_spark_metadata/", manifests.spark_sinks, ("_spark_metadata",)
    ),
    OwnerKind(
        "Databricks markers",
        r"/_(?:started|committed)_[^/]+$",
        manifests.databricks,
        by_name=True,
    ),
    OwnerKind("parquet _metadata", r"/_metadata$", manifests.parquet_metadata),
    OwnerKind(
        "ducklake files",
        r"/ducklake-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?:-delete)?\.parquet$",
        catalogues.ducklake_files,
    ),
    OwnerKind(
        "catalogue file",
        r"(?i:\.(?:ducklake|duckdb|ddb|db|db3|sqlite|sqlite3))$",
        catalogues.claims,
    ),
)
_OF_FOLDER = {folder: kind for kind in OWNER_KINDS for folder in kind.folders}
_ANY = re.compile("|".join(kind.pattern for kind in OWNER_KINDS))
_WHICH = re.compile("|".join(f"({kind.pattern})" for kind in OWNER_KINDS))  # four times as slow


@dataclass(frozen=True, slots=True)
class Owners:
    """What the owners of a lake claim. `counts` are the owners of each kind that was looked for.

    `blocked` are (folder, reason): what lies there may belong to an owner that is not resolved.
    `suspects` are files, and folders with all below them, that one may own which names a place
    outside the lake. `not_listed` are folders of which nobody knows what they hold.
    """

    claims: tuple[Claims, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    suspects: Mapping[str, str] = field(default_factory=dict)
    not_listed: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """Which owners were looked at, as plain data.

        r2d2's own output is not told: a run that is written into the lake changes nothing of it.
        """
        return {
            "catalogues": NO_CATALOGUE,
            "looked_at": {k: n for k, n in sorted(self.counts.items()) if k != OWN},
            "unresolved": [
                {"owner": str(claim.owner), "metadata": path, "reason": reason}
                for claim in self.claims
                for path, reason in claim.unresolved
            ],
            "not_listed": list(self.not_listed),
        }

    def owner_of(self, path: str) -> Owner | None:
        """The owner of a file, None where nobody names it."""
        for claim in self.claims:
            if path in claim.files or any(is_below(path, folder) for folder in claim.folders):
                return claim.owner
        return None

    def roots(self) -> dict[str, Owner]:
        """The folders that an owner has to itself, with all below them."""
        return {folder: claim.owner for claim in self.claims for folder in claim.folders}


def find_owners(storage: Storage, listing: Listing) -> Owners:
    """The claims of all owners in the lake; only their metadata is read, each file once."""
    left_out = left_out_reasons(listing)
    names = _metadata_names([file.path for file in listing.files], left_out)
    lake = LakeMetadata(storage, {file.path: file for file in listing.files})
    by_kind = _unseen(left_out)
    for kind in OWNER_KINDS:
        if kind.name in names:
            by_kind[kind.name] += _claims(kind, lake, names[kind.name])
    counts = {kind: len({claim.owner.location for claim in c}) for kind, c in by_kind.items()}
    found = [claim for claims in by_kind.values() for claim in claims]
    not_listed = tuple(p for p, reason in sorted(left_out.items()) if reason.startswith(NOT_LISTED))
    return Owners(tuple(found), counts, _suspects(lake, found), not_listed)


def _metadata_names(paths: Iterable[str], left_out: Iterable[str]) -> Mapping[str, list[str]]:
    """The paths of metadata by kind of owner; of those left out, which say something by name."""
    names: dict[str, list[str]] = defaultdict(list)
    search = _ANY.search
    for path in paths:
        if search(f"/{path}"):
            names[_kind_of(path).name].append(path)
    for path in left_out:
        if search(f"/{path}") and _kind_of(path).by_name:
            names[_kind_of(path).name].append(path)
    return names


def _suspects(lake: LakeMetadata, found: Sequence[Claims]) -> Mapping[str, str]:
    """Why a file, or all below a folder, may be a copy of what a claim names outside the lake."""
    if not any(claim.outside for claim in found):
        return {}
    places = {*lake.files, *lake.folders()}
    return {
        path: f"{claim.owner} names such a place outside the lake: this may be a copy of it"
        for claim in found
        for path in like_outside(claim.outside, places)
        if claim.outside
    }


def _unseen(left_out: Mapping[str, str]) -> dict[str, list[Claims]]:
    """The claims of owners whose metadata was left out of the listing: it may name any file."""
    found: dict[str, list[Claims]] = {kind.name: [] for kind in OWNER_KINDS}
    for path, reason in left_out.items():
        kind, root = _kind_unseen(path)
        if kind is not None and kind.name != OWN and not kind.by_name:
            claims = Claims(Owner(kind.name, root), unresolved=((path, reason),))
            found[kind.name].append(claims)
    return found


def _kind_unseen(path: str) -> tuple[OwnerKind | None, str]:
    """The kind of owner whose metadata, or folder of it, is at the path; and the owner's place."""
    folder, _, name = path.rpartition("/")
    if name in _OF_FOLDER:
        return _OF_FOLDER[name], folder
    return (_kind_of(path), folder) if _ANY.search(f"/{path}") else (None, "")


def _kind_of(path: str) -> OwnerKind:
    """The kind of owner whose metadata the file is, which is some kind's."""
    match = _WHICH.search(f"/{path}")
    return OWNER_KINDS[((match and match.lastindex) or 1) - 1]


def _claims(kind: OwnerKind, lake: LakeMetadata, names: Sequence[str]) -> list[Claims]:
    """The claims of a kind; where a library fails over one, any file may be of that kind."""
    try:
        return list(kind.claims(lake, names))
    except Exception as error:  # noqa: BLE001 - a last boundary: it blocks, and the run goes on
        reason = " ".join(table_problem(error).split())[:200]
        return [Claims(Owner(kind.name, parent_of(names[0])), unresolved=((names[0], reason),))]
