"""Dictionaries change how values are held, never the values."""

import pyarrow as pa

from r2d2.formats.csv.fast_path import compacted


def test_columns_of_recurring_values_become_dictionaries_of_the_same_values():
    batch = pa.RecordBatch.from_pydict(
        {
            "recurs": ["a", "", None, "a"] * 500,
            "distinct": [str(number) for number in range(2000)],
        }
    )
    found = compacted(batch)
    assert [pa.types.is_dictionary(column.type) for column in found.columns] == [True, False]
    assert found.to_pydict() == batch.to_pydict()


def test_small_batches_stay_as_they_are():
    batch = pa.RecordBatch.from_pydict({"recurs": ["a"] * 20})
    assert compacted(batch) is batch


def test_a_long_file_of_recurring_and_marked_values_reads_back(lake):
    rows = [(str(number % 3), "NA" if number % 5 else "", "x") for number in range(150_000)]
    content = "\n".join(["a,b,c", *map(",".join, rows)])
    expected = [(a, None if b == "NA" else b, c) for a, b, c in rows]
    assert lake.rows("a.csv", content, null_marker="NA") == expected
