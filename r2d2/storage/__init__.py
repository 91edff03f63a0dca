"""Storage of a lake's bytes: a folder here, or an object store."""

from pathlib import Path
from typing import TYPE_CHECKING

from r2d2.errors import NoSuchLakeError

if TYPE_CHECKING:
    from r2d2.storage.local import Storage


def storage_of(lake: str) -> "Storage":
    """The storage that reads `lake`: a folder's path, or the URL of a bucket's prefix."""
    # Only here: what handles signals is in this package, and imported before anything heavy.
    from r2d2.storage.local import LocalStorage

    scheme, separator, _ = lake.partition("://")
    if not separator or scheme == "file":
        root = Path(lake.removeprefix("file://") if separator else lake)
        if not root.is_dir():
            what = "is a file, not a folder" if root.is_file() else "no such folder"
            raise NoSuchLakeError(f"{lake}: {what}; give the folder that holds the tables")
        return LocalStorage(str(root.resolve()))
    from r2d2.storage.objects import ObjectStorage

    return ObjectStorage(lake)
