"""The funnel tells what the tasks of a scan had to do, the same on both engines."""

from functools import reduce
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from r2d2 import find
from r2d2.model import Work

ROWS = 30_000


def test_the_funnel_counts_bytes_decoded_and_rows_hashed_of_the_columns_asked_for(
    tmp_path: Path, engine: str
) -> None:
    values = pa.table({"x": np.arange(ROWS), "y": np.arange(ROWS) % 7})
    pq.write_table(values, tmp_path / "parent.parquet")
    pq.write_table(values.select(["x"]).slice(ROWS // 2), tmp_path / "child.parquet")
    graph = find(tmp_path, engine=engine)
    work = reduce(Work.plus, (row.work for row in graph.funnel))
    assert work.rows_hashed == ROWS * 3 // 2
    # Eight bytes a number, and a bit that says whether it is there.
    assert 8 * work.rows_hashed <= work.bytes_decoded < 9 * work.rows_hashed
    assert min(work.decode_s, work.hash_s, work.exchange_s) > 0
    spent = work.decode_s + work.hash_s + work.exchange_s
    # The clocks of a thread and of a process tick apart.
    assert spent <= sum(row.core_seconds for row in graph.funnel) + 0.1
