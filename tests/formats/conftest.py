"""A folder of text files, written by the test and read as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from r2d2.model import FileInfo, Table
from r2d2.storage.local import LocalStorage
from tests.support.formats.text_files import inspect, read

Rows = list[tuple[str | None, ...]]


@dataclass(frozen=True, slots=True)
class TextLake:
    """What a test asks of one file: its table, its rows."""

    root: Path

    def file(self, name: str, content: bytes | str) -> FileInfo:
        path = self.root / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return FileInfo(name, path.stat().st_size, str(path.stat().st_mtime_ns))

    def table(self, name: str, content: bytes | str, **overrides: object) -> Table:
        file = self.file(name, content)
        return inspect(LocalStorage(str(self.root)), file, **overrides)

    def read(self, table: Table, columns: Sequence[str] | None = None) -> Rows:
        wanted = [c.path[0] for c in table.columns] if columns is None else columns
        storage = LocalStorage(str(self.root))
        return [
            row
            for split in table.splits
            for batch in read(storage, split, wanted)
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        ]

    def rows(self, name: str, content: bytes | str, **overrides: object) -> Rows:
        return self.read(self.table(name, content, **overrides))

    def names(self, name: str, content: bytes | str, **overrides: object) -> list[str]:
        return [column.name for column in self.table(name, content, **overrides).columns]


@pytest.fixture
def lake(tmp_path: Path) -> TextLake:
    return TextLake(tmp_path)


@pytest.fixture(scope="session")
def shared_lakes(shared: Path) -> Path:
    """The folder of lakes of known truth."""
    return shared / "lakes"
