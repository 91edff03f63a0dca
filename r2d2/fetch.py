"""Event logs that lie in an object store, brought here for as long as they are read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from r2d2.errors import LakeError
from r2d2.model import FileInfo
from r2d2.storage.local import Storage, storage_of

PIECE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where the places are on this machine; `origin` gives a text the names it should have."""

    paths: tuple[Path, ...]
    origin: Callable[[str], str]


@contextmanager
def fetched(places: Sequence[str]) -> Iterator[Fetched]:
    """The places as paths: what is on this machine as it is, objects below a URL as copies.

    Raises:
        LakeError: a store cannot be listed, or has nothing there.
        UnreadableTableError: an object cannot be read.
    """
    with TemporaryDirectory(prefix="r2d2-logs-") as scratch:
        names: dict[str, str] = {}
        paths = []
        for number, place in enumerate(places):
            path = Path(place)
            if "://" in place:
                path = _copied(place, Path(scratch, str(number)))
                names[str(path)] = place.rstrip("/")
            paths.append(path)
        yield Fetched(tuple(paths), lambda text: _renamed(text, names))


def _renamed(text: str, names: dict[str, str]) -> str:
    for path, name in names.items():
        text = text.replace(path, name)
    return text


def _copied(url: str, folder: Path) -> Path:
    """The folder, with all objects below the URL; or in it the one that the URL names."""
    try:
        storage = storage_of(url)
        files = storage.list().files
    except LakeError:
        parent, _, name = url.rstrip("/").rpartition("/")
        if parent.endswith(("/", ":")):
            raise
        storage = storage_of(parent)
        files = tuple(file for file in storage.list().files if file.path == name)
        if not files:
            raise
        _copy(storage, files[0], folder / name)
        return folder / name
    for file in files:
        _copy(storage, file, folder / file.path)
    return folder


def _copy(storage: Storage, file: FileInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as copy:
        for start in range(0, file.size_bytes, PIECE_BYTES):
            copy.write(storage.read(file, start, PIECE_BYTES))
