"""Owners: tables whose metadata names files, wherever these lie. A file belongs to one table.

A kind of owner is a pattern that its metadata is recognised by, and a function from the lake's
names and that metadata's bytes to claims. A lake without such names is not read for it.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from r2d2.formats import HIVE_WRITE, ICEBERG_LIST
from r2d2.formats.errors import table_problem
from r2d2.lake.owners import catalogues, delta, folders, iceberg, manifests
from r2d2.lake.owners.claims import Claims, LakeMetadata, Owner, is_below, like_outside, parent_of
from r2d2.lake.wholeness import folders_above, left_out_reasons
from r2d2.model import FileGroup
from r2d2.storage.local import NOT_LISTED, Listing, Storage

NO_CATALOGUE = "no catalogue was asked"
REMEDY = "mend it, or take it out of the lake"


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
SETTLED_BY_RULES = (manifests.PARQUET, catalogues.DUCKLAKE_FILES)
"""Owners of files that the user may make tables; they are kept."""
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
    names: dict[str, list[str]] = defaultdict(list)
    search = _ANY.search
    for file in listing.files:
        if search(f"/{file.path}"):
            names[_kind_of(file.path).name].append(file.path)
    left_out = left_out_reasons(listing)
    for path in left_out:
        if search(f"/{path}") and _kind_of(path).by_name:
            names[_kind_of(path).name].append(path)
    counts = dict.fromkeys((kind.name for kind in OWNER_KINDS), 0)
    found = list(_unseen(left_out))
    unseen: dict[str, set[str]] = defaultdict(set)
    for claim in found:
        unseen[claim.owner.kind].add(claim.owner.location)
    counts |= {kind: len(places) for kind, places in unseen.items()}
    not_listed = tuple(p for p, reason in sorted(left_out.items()) if reason.startswith(NOT_LISTED))
    if not names:
        return Owners(tuple(found), counts, not_listed=not_listed)
    lake = LakeMetadata(storage, {file.path: file for file in listing.files})
    for kind in OWNER_KINDS:
        if kind.name in names:
            claims = _claims(kind, lake, names[kind.name])
            counts[kind.name] += len({claim.owner.location for claim in claims} - unseen[kind.name])
            found += claims
    outside = any(claim.outside for claim in found)
    places = {*lake.files, *lake.folders()} if outside else set()
    suspects = {
        path: f"{claim.owner} names such a place outside the lake: this may be a copy of it"
        for claim in found
        for path in like_outside(claim.outside, places)
        if claim.outside
    }
    return Owners(tuple(found), counts, suspects, not_listed)


def _unseen(left_out: Mapping[str, str]) -> Iterator[Claims]:
    """The claims of owners whose metadata was left out of the listing: it may name any file."""
    for path, reason in left_out.items():
        kind, root = _kind_unseen(path)
        if kind is not None and kind.name != OWN and not kind.by_name:
            yield Claims(Owner(kind.name, root), unresolved=((path, reason),))


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


def with_datasets(
    groups: Sequence[FileGroup], owners: Owners, settled: Collection[str]
) -> list[FileGroup]:
    """The groups, those joined that are all below a folder whose Parquet `_metadata` names them.

    `settled` are the locations of tables by a rule of the user's.
    """
    datasets = [c for c in owners.claims if c.owner.kind == manifests.PARQUET and not c.unresolved]
    if not datasets:
        return list(groups)
    ordered = sorted(groups, key=lambda group: group.location)
    locations = [group.location for group in ordered]
    gone: set[int] = set()
    joined = []
    for claim in sorted(datasets, key=lambda claim: claim.owner.location):
        folder = claim.owner.location
        start, end = (f"{folder}/", f"{folder}0") if folder else ("", "\U0010ffff")
        places = {
            *range(bisect_left(locations, folder), bisect_right(locations, folder)),
            *range(bisect_left(locations, start), bisect_left(locations, end)),
        }
        below = [ordered[place] for place in sorted(places)]
        files = sorted((file for group in below for file in group.files), key=lambda f: f.path)
        is_open = not places & gone and all(
            group.must_keep is None and group.problem is None and group.location not in settled
            for group in below
        )
        if len(below) > 1 and is_open and {file.path for file in files} == claim.files:
            gone |= places
            because = "_metadata, which names its files"
            joined.append(FileGroup(folder, below[0].format, tuple(files), True, because=because))
    return [*(group for place, group in enumerate(ordered) if place not in gone), *joined]


def with_owners(
    groups: Sequence[FileGroup],
    owners: Owners,
    claimed: Mapping[str, object],
    settled: Collection[str] = (),
) -> tuple[list[FileGroup], Counter[str]]:
    """The groups that are tables of their own, and how many files others own, by owner.

    `claimed` are the folders of tables that a format or an owner has to itself, `settled` the
    locations of tables by a rule of the user's, which are tables though some owners name them.
    """
    skipped: Counter[str] = Counter()
    by_file: dict[str, list[Claims]] = defaultdict(list)
    for claim in owners.claims:
        for path in claim.files:
            by_file[path].append(claim)
    roots = owners.roots()
    disputed = {path: why for claim in owners.claims for path, why in claim.disputed.items()}
    kept: list[FileGroup] = []
    for group in groups:
        if disputed and group.location not in claimed:
            reasons = [disputed[file.path] for file in group.files if file.path in disputed]
            group = replace(group, problem=group.problem or min(reasons, default=None))
        home = roots.get(group.location)
        if home is not None and home.location != group.location:
            skipped[f"owned by {home}"] += len(group.files)
            continue
        taken = {
            file.path: claim.owner
            for file in group.files
            for claim in by_file.get(file.path, ())
            if claim.owner.location != group.location and not _is_inside(claim.owner, group)
        }
        if not taken:
            kept.append(group)
        elif group.location in claimed or (
            group.location in settled
            and all(owner.kind in SETTLED_BY_RULES for owner in taken.values())
        ):
            path, owner = min(taken.items())
            reason = f"{owner} reads its files, such as {path}"
            kept.append(replace(group, must_keep=group.must_keep or reason))
        elif len(taken) == len(group.files):
            skipped.update(f"owned by {owner}" for owner in taken.values())
        else:
            path, owner = min(taken.items())
            reason = (
                f"{len(taken)} of its {len(group.files)} files belong to {owner}, such as {path}:"
                " the others are no whole table; take them apart"
            )
            kept.append(replace(group, problem=group.problem or reason))
    return _blocked(kept, owners), skipped


def _is_inside(owner: Owner, group: FileGroup) -> bool:
    """Whether the owner is a `_metadata` in the group's own folder: it goes where that goes."""
    return owner.kind == manifests.PARQUET and is_below(owner.location, group.location)


def _blocked(groups: Sequence[FileGroup], owners: Owners) -> list[FileGroup]:
    """The groups; those that an owner may own, or whose rows lie elsewhere, must be kept."""
    blocked = [
        (folder, f"it may belong to {claim.owner}, which is not resolved: {path}: {why}; {REMEDY}")
        for claim in owners.claims
        for path, why in claim.unresolved[:1]
        for folder in claim.blocked
    ]
    lent = {
        claim.owner.location: f"some of its rows lie in files of other tables, such as {path}"
        for claim in owners.claims
        if claim.owner.kind == delta.KIND
        for path in sorted(claim.files)[:1]
    }
    if not blocked and not owners.suspects and not lent:
        return list(groups)
    kept = []
    for group in groups:
        reasons = [lent[group.location]] if group.location in lent else []
        reasons += [why for folder, why in blocked if _reaches(group, folder)]
        reasons += _suspected(group, owners.suspects)
        must_keep = group.must_keep or next(iter(reasons), None)
        kept.append(replace(group, must_keep=must_keep))
    return kept


def _suspected(group: FileGroup, suspects: Mapping[str, str]) -> list[str]:
    """Why some owner may own a file of the group, at most once."""
    if not suspects:
        return []
    paths = {path for file in group.files for path in (file.path, *folders_above(file.path))}
    return [suspects[path] for path in sorted(paths & suspects.keys())[:1]]


def _reaches(group: FileGroup, folder: str) -> bool:
    if is_below(group.location, folder):
        return True
    paths = [file.path for file in group.files]
    place = bisect_left(paths, f"{folder}/")
    return is_below(folder, group.location) and any(
        path.startswith(f"{folder}/") for path in paths[place : place + 1]
    )
