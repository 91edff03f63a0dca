"""Tables as multisets of row hashes, each read once however many families it is in."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from threading import Lock

from r2d2.lake.storage import Storage
from r2d2.model import Table, Types
from r2d2.rebuild.rows import hashed, read_batches
from r2d2.recipes.counted import Counted

KEPT_BYTES = 256 << 20
_Key = tuple[str, tuple[str, ...]]


class Counts:
    """The rows of tables, over all of their columns, as hashes and how often each occurs.

    Those asked for last are kept within `kept_bytes`. Threads may share it.
    """

    def __init__(self, storage: Storage, types: Types, kept_bytes: int = KEPT_BYTES) -> None:
        self.storage, self.types = storage, types
        self._kept: OrderedDict[_Key, Counted] = OrderedDict()
        self._bytes_left = kept_bytes
        self._lock = Lock()

    def of(self, table: Table, names: Mapping[str, str] | None = None) -> Counted:
        """The table's rows; `names` maps its columns to those they are hashed as.

        Raises:
            TableError: it cannot be read.
        """
        columns = table.columns
        if names is not None:
            columns = tuple(replace(column, name=names[column.name]) for column in columns)
        key = (table.location, tuple(column.name for column in columns))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        batches = list(read_batches(self.storage, table, columns))
        (lanes,) = hashed(batches, [columns], self.types)
        rows = Counted.of((lanes.first, lanes.second))
        self._keep(key, rows)
        return rows

    def _keep(self, key: _Key, rows: Counted) -> None:
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = rows
            self._bytes_left -= rows.size_bytes
            while self._bytes_left < 0:
                _, oldest = self._kept.popitem(last=False)
                self._bytes_left += oldest.size_bytes
