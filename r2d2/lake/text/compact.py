"""Columns whose values recur as dictionaries: each value is then hashed once a batch."""

import numpy as np
import pyarrow as pa

# Below that many rows a dictionary costs more than it saves.
DICTIONARY_ROWS = 512
_SAMPLE = 256
_DISTINCT = 128


def compacted(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same values, in dictionaries where a sample over the batch shows that they recur."""
    if batch.num_rows < DICTIONARY_ROWS:
        return batch
    sample = batch.take(pa.array(np.linspace(0, batch.num_rows - 1, _SAMPLE, dtype=np.int64)))
    columns = [
        column.dictionary_encode() if len(some.unique()) <= _DISTINCT else column
        for column, some in zip(batch.columns, sample.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
