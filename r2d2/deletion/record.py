"""The record of a deleted table: beside r2d2 and its parents, all that rebuilding it takes.

It is journalled with MARKED, and lies beside the recipe's residual files in `_r2d2/records/ID`.

A tombstone is a note beside the old place, for whoever looks for the table. It is not at the very
place: an empty folder, or a note in it, reads as a table without rows in some readers, and a
missing one is an error in all.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from r2d2.deletion.place import LakePlace
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import HOME, Data, Deletion, State, tombstone_path
from r2d2.lake.groups import is_note
from r2d2.model import Table
from r2d2.plan.plan_file import files_digest
from r2d2.recipes.grammar import residuals
from r2d2.recipes.json import from_data
from r2d2.recipes.run.residuals import ResidualFolder
from r2d2.storage.output import json_text

RECORDS = f"{HOME}/records"
RECORD_NAME = "deletion.json"


def record_of(plan: Data, entry: Data, parents: Mapping[str, Table], told: Data) -> Data:
    """The record of a table that a plan deletes, with the parents as they are now.

    `told` is its `approval` by number and, where one was asked, its entry in a `catalogue`.
    """
    return {
        "entry": entry,
        "parents": {
            parent: {
                "snapshot": table.snapshot,
                "size_bytes": table.size_bytes,
                "files_sha256": files_digest(table.files),
            }
            for parent, table in parents.items()
        },
        "find": plan["find"],
        "rates": plan["settings"]["rates"],
        "plan_sha256": plan["sha256"],
        **told,
    }


def folder_of(deletion: str) -> str:
    """The folder of a deletion's record in the lake."""
    return f"{RECORDS}/{deletion}"


def keep(place: LakePlace, deletion: Deletion, run: Path) -> None:
    """Writes the record and the recipe's residuals, which lie in the run's folder, into the lake.

    Raises:
        R2D2Error: a residual is gone or changed.
    """
    folder = folder_of(deletion.id)
    kept = ResidualFolder(run)
    for residual in residuals(from_data(deletion.record["entry"]["recipe"])):
        place.put_new(f"{folder}/{residual.location}", kept.content(residual))
    place.put_new(f"{folder}/{RECORD_NAME}", _content(deletion))


def _content(deletion: Deletion) -> bytes:
    return json_text({"id": deletion.id, **deletion.record}).encode()


def is_other(place: LakePlace, deletion: Deletion) -> bool:
    """Whether the record in the lake is gone, or not what the journal has; of buckets, its size."""
    file = place.file(f"{folder_of(deletion.id)}/{RECORD_NAME}")
    right = _content(deletion)
    if file is None or file.size_bytes != len(right):
        return True
    return "://" not in place.storage.url and place.storage.read(file) != right


def remove(place: LakePlace, deletion: str) -> None:
    """Deletes the record of a deletion that is undone, and its residuals."""
    for file in place.listing(folder_of(deletion)).files:
        place.remove(file.path)


def plan_of(lake: str, deletion: Deletion) -> Data:
    """The record in the form of a plan that deletes this table alone."""
    return as_plan(lake, deletion.record)


def as_plan(lake: str, record: Data) -> Data:
    """A record in the form of a plan that deletes its table alone."""
    try:
        return {
            "lake": lake,
            "find": record["find"],
            "tables": [record["entry"], *_parents(record)],
            "snapshots": {name: told["snapshot"] for name, told in record["parents"].items()},
        }
    except (KeyError, TypeError) as error:
        raise R2D2Error(f"not the record of a deletion: {error!r} is missing") from error


def _parents(record: Data) -> Iterator[dict[str, Any]]:
    for name, told in record["parents"].items():
        yield {"table": name, "choice": "keep", **told}


def write_tombstone(place: LakePlace, deletion: Deletion) -> None:
    """Writes the note; an older one is replaced, but nothing that somebody else put there."""
    path = tombstone_path(deletion.table)
    if not _is_free_or_ours(place, path):
        return
    entry, name = deletion.record["entry"], deletion.id
    is_purged = deletion.state is State.PURGED
    back = f"rebuild {name} LAKE" if is_purged else f"undo {name} LAKE --yes"
    told = {
        "deleted_by": "r2d2",
        "table": deletion.table,
        "deletion": deletion.id,
        "state": deletion.state.value,
        "since": deletion.since.isoformat(),
        "parents": deletion.parents,
        "rows": entry["evidence"]["rows"],
        "rebuild_p95_s": entry["rebuild_p95_s"],
        "undo": f"r2d2 {back}",
        "rebuild": f"r2d2 rebuild {deletion.id} LAKE --to FOLDER",
    }
    place.replace(path, json_text(told).encode())


def remove_tombstone(place: LakePlace, location: str) -> None:
    """Deletes the note, if it is one."""
    path = tombstone_path(location)
    if _is_free_or_ours(place, path):
        place.remove(path)


def _is_free_or_ours(place: LakePlace, path: str) -> bool:
    """Whether nothing is there by that name, or a note of r2d2's."""
    try:
        file = place.file(path)
        if file is None:
            return True
    except (OSError, R2D2Error):
        return False
    return is_note(place.storage, file)
