"""Tombstones: a note beside the old place of a deleted table, for whoever looks for it.

It is not at the very place: an empty folder, or a note in it, reads as a table without rows in some
readers, and a missing one is an error in all.
"""

import hashlib
import json
from pathlib import PurePosixPath

from r2d2.deletion.place import LakePlace
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import Deletion
from r2d2.storage.local import read_whole
from r2d2.storage.output import json_text

_SUFFIX = ".deleted-by-r2d2.json"
_MOST_BYTES = 255
"""Of a file's name."""


def tombstone_path(location: str) -> str:
    """The place of the note; its name hides it from tables."""
    place = PurePosixPath(location)
    name = f"_{place.name}{_SUFFIX}"
    if len(name.encode()) > _MOST_BYTES:
        name = f"_{hashlib.sha256(place.name.encode()).hexdigest()[:16]}{_SUFFIX}"
    return str(place.with_name(name))


def write_tombstone(place: LakePlace, deletion: Deletion) -> None:
    """Writes the note; an older one is replaced, but nothing that somebody else put there."""
    path = tombstone_path(deletion.table)
    if not _is_free_or_ours(place, path):
        return
    entry = deletion.record["entry"]
    told = {
        "deleted_by": "r2d2",
        "table": deletion.table,
        "deletion": deletion.id,
        "state": deletion.state.value,
        "since": deletion.since.isoformat(),
        "parents": deletion.parents,
        "rows": entry["evidence"]["rows"],
        "rebuild_p95_s": entry["rebuild_p95_s"],
        "undo": f"r2d2 undo {deletion.id} LAKE --yes",
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
        told = json.loads(read_whole(place.storage, file))
    except (OSError, ValueError, R2D2Error):
        return False
    return isinstance(told, dict) and told.get("deleted_by") == "r2d2"
