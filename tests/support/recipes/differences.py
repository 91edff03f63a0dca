"""The first difference between a table and its rebuilt rows, as a plan's trials see it."""

from collections.abc import Sequence

import pyarrow as pa

from r2d2.formats.uniform import uniform
from r2d2.recipes.run.trial import OrderedRows
from r2d2.text_tables import pluralize


def difference(child: Sequence[pa.RecordBatch], made: Sequence[pa.RecordBatch]) -> str | None:
    """How the rebuilt rows differ from the child's, None where they do not.

    Raises:
        UnreadableTableError: the batches of one side do not fit one schema.
    """
    if not sum(batch.num_rows for batch in child):
        made_count = sum(batch.num_rows for batch in made)
        return f"it has {pluralize(str(made_count), 'row')} instead of 0" if made_count else None
    return OrderedRows.of(uniform(child)).difference(made)
