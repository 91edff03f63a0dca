"""Storage of a lake's bytes: a folder here, or an object store."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from r2d2.errors import NoSuchLakeError
from r2d2.text_tables import did_you_mean, shell_word

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
            raise NoSuchLakeError(f"{lake}: {_no_folder(root)}")
        return LocalStorage(str(root.resolve()))
    from r2d2.storage.objects import ObjectStorage

    return ObjectStorage(lake)


def _no_folder(root: Path) -> str:
    """Why the path is no lake, and what was likely meant."""
    remedy = "give the folder that holds the tables"
    if root.is_file():
        one = f"{shell_word(str(root.parent))} --include {shell_word(root.name)}"
        return f"is a file, not a folder; {remedy} ({one}, to look at it alone if it is a table)"
    beside: list[str] = []
    with suppress(OSError):
        beside = [str(each) for each in root.parent.iterdir() if each.is_dir()]
    return f"no such folder; {remedy}{did_you_mean(str(root), beside)}"
