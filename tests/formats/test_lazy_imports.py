"""The list of formats is imported at no cost; a format's own modules are when it is used."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv

from r2d2.arrays import texts


@pytest.mark.slow
def test_listing_the_formats_imports_no_library() -> None:
    code = (
        "import sys, r2d2.formats; assert len(r2d2.formats.FORMATS) > 5;"
        "print(*({m.partition('.')[0] for m in sys.modules} & {'pyarrow', 'fastavro', 'numpy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.slow
def test_a_lake_of_csv_and_parquet_is_read_without_pandas(tmp_path: Path) -> None:
    rows = pa.table({"id": [f"n{i}" for i in range(5_000)], "place": ["north", "south"] * 2_500})
    pq.write_table(rows, tmp_path / "all.parquet")
    csv.write_csv(rows.slice(0, 4_500), tmp_path / "most.csv")
    code = (
        "import sys, r2d2; graph = r2d2.find(sys.argv[1]);"
        "print(len(graph.edges), 'pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


@given(st.lists(st.none() | st.text(), max_size=20))
def test_texts_are_those_of_arrow(values: list[str | None]) -> None:
    assert texts(values).equals(pa.array(values, pa.string()))
    texts(values).validate(full=True)
