"""Groups of files that are tables of their own, given what the lake's owners claim."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from r2d2.lake.owners import Owners, catalogues, delta, manifests
from r2d2.lake.owners.claims import Claims, Owner, is_below
from r2d2.lake.wholeness import folders_above
from r2d2.model import FileGroup

REMEDY = "mend it, or move it out of the lake (--exclude does not: its files stay here)"
SETTLED_BY_RULES = (manifests.PARQUET, catalogues.DUCKLAKE_FILES)
"""Owners of files that the user may make tables; they are kept."""


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
