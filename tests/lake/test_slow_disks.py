"""Where a disk keeps its readers waiting, as one far away does, footers are opened by threads."""

from dataclasses import dataclass, field
from pathlib import Path
from threading import get_ident
from time import sleep
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.lake.inventory import FOOTERS_A_TASK, take_inventory
from r2d2.model import FileInfo
from r2d2.settings.find import Settings
from r2d2.storage.local import Listing, LocalStorage

TABLES = 4 * FOOTERS_A_TASK
WAIT_S = 0.005


@dataclass(frozen=True)
class SlowDisk:
    """A folder whose reads wait, and the threads that read."""

    disk: LocalStorage
    threads: set[int] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The folder."""
        return self.disk.url

    def list(self) -> Listing:
        """Every file."""
        return self.disk.list()

    def read(self, file: FileInfo, start: int = 0, length: int | None = None) -> bytes:
        """The bytes, after the wait."""
        self.threads.add(get_ident())
        sleep(WAIT_S)
        return self.disk.read(file, start, length)

    def open(self, file: FileInfo) -> Any:
        """The file, after the wait."""
        sleep(WAIT_S)
        return self.disk.open(file)

    def absolute(self, path: str) -> str:
        """The full path."""
        return self.disk.absolute(path)


def test_a_slow_disk_is_read_by_threads_and_gives_the_same_tables(tmp_path: Path) -> None:
    for number in range(TABLES):
        table = pa.table({"id": [number], f"value_{number % 7}": [0.5]})
        pq.write_table(table, tmp_path / f"table_{number:03}.parquet")
    disk = LocalStorage(str(tmp_path))
    slow = SlowDisk(disk)
    found = take_inventory(slow, Settings()).tables
    assert found == take_inventory(disk, Settings()).tables
    assert len(found) == TABLES
    assert len(slow.threads) > 2
