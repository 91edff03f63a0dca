"""Views of a plan, run as `recipe show` prints them and compared with the deleted tables.

    python -m tests.support.recipes.run_views RUN duckdb

prints what became of each deleted table's view.
"""

import io
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.cli import main
from r2d2.errors import EXIT_FAILED, EXIT_OK
from r2d2.plan.graph_file import load_graph, tables_now
from r2d2.plan.plan_file import load_plan
from r2d2.plan.rebuild import view_of
from r2d2.recipes.literals import UnrenderableRecipeError
from r2d2.recipes.sql_names import default_name
from r2d2.storage import storage_of
from r2d2.text_tables import printable, visible
from tests.support.recipes.lakes import rows

Compare = Callable[[str, str, str], str | None]
"""The difference between a view, by its text and name, and a Parquet file, if there is one."""
FEW_ROWS = 20_000
SHOWN_BY_COMMAND = 3


def shown(table: str, run: Path, dialect: str, *more: str) -> tuple[int, str]:
    """The exit code and the output of `r2d2 recipe show`."""
    out, told = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    arguments = ["recipe", "show", "--run", str(run), "--dialect", dialect, *more, "--", table]
    with redirect_stdout(out), redirect_stderr(told):
        code = main(arguments)
    out.flush()
    return code, out.buffer.getvalue().decode()  # type: ignore[attr-defined]


def outcomes(
    run: Path,
    dialect: str,
    compare: Compare,
    folder: Path,
    wanted: Callable[[str], bool] = lambda _: True,
) -> Iterator[tuple[str, str]]:
    """Each deleted table that is wanted, and `equal`, or the difference, or why there is no view.

    The first of each outcome are shown by the command, too: it prints that view, or reason.
    """
    plan = load_plan(run / "plan.json")
    lake = Path(plan["lake"])
    tables = tables_now(run, load_graph(run), storage_of(str(lake)))
    by_command = Counter[bool]()
    for number, entry in enumerate(plan["tables"]):
        name, refused = entry["table"], ""
        if entry["choice"] != "delete" or not wanted(name):
            continue
        try:
            text = view_of(plan, run, entry, dialect, {}, tables) + ";\n"
        except UnrenderableRecipeError as error:
            text = refused = f"-- {visible(name)}: {printable(str(error))}\n"
        by_command[bool(refused)] += 1
        if by_command[bool(refused)] <= SHOWN_BY_COMMAND:
            assert shown(name, run, dialect) == (EXIT_FAILED if refused else EXIT_OK, text)
        if refused:
            yield name, refused.strip()
            continue
        expected = folder / f"{number}.parquet"
        pq.write_table(pa.Table.from_batches(rows(lake, tables[name])), expected)
        try:
            yield name, compare(text, default_name(name), str(expected)) or "equal"
        except Exception as error:  # noqa: BLE001 - an engine's, told with the table
            yield name, f"error: {error}"


def in_duckdb(text: str, name: str, expected: str) -> str | None:
    """The difference in DuckDB."""
    with duckdb.connect() as connection:
        connection.execute(text)
        connection.execute(f"CREATE VIEW expected AS SELECT * FROM read_parquet('{expected}')")
        found = connection.sql(f'FROM "{name}"')
        there = connection.sql("FROM expected")
        if (found.columns, found.types) != (there.columns, there.types):
            return f"types: {found.columns} {found.types}, not {there.columns} {there.types}"
        for one, other in ((name, "expected"), ("expected", name)):
            minus = f'SELECT count(*) FROM (FROM "{one}" EXCEPT ALL FROM "{other}")'
            if count := connection.sql(minus).fetchall()[0][0]:
                return f"{count} rows of {one} not in {other}"
        if there.aggregate("count(*)").fetchall()[0][0] > FEW_ROWS:
            return None
        return _bits(found.to_arrow_table(), there.to_arrow_table())


def _bits(found: pa.Table, there: pa.Table) -> str | None:
    """What EXCEPT takes for equal: the sign of a zero."""
    counts = [Counter(map(repr, table.to_pylist())) for table in (found, there)]
    return None if counts[0] == counts[1] else f"values: {(counts[0] - counts[1]).most_common(1)}"


def in_spark(spark: Any) -> Compare:
    """The comparison in a Spark session."""

    def compare(text: str, name: str, expected: str) -> str | None:
        spark.sql(text)
        try:
            found, there = spark.table(f"`{name}`"), spark.read.parquet(expected)
            if found.dtypes != there.dtypes:
                return f"types: {found.dtypes}, not {there.dtypes}"
            if pq.read_metadata(expected).num_rows <= FEW_ROWS:
                return _bits(*(pa.Table.from_pylist(_plain(frame)) for frame in (found, there)))
            # EXCEPT ALL costs Spark twice as much.
            sums = [_sums(frame) for frame in (found, there)]
            return None if sums[0] == sums[1] else f"rows and sums of hashes: {sums}"
        finally:
            spark.sql(f"DROP VIEW `{name}`")

    return compare


def _sums(frame: Any) -> Any:
    """The number of rows, and the sum of their hashes; a NULL, which hashes skip, counts as one."""
    from pyspark.sql import functions as f

    names = [f"c{number}" for number in range(len(frame.columns))]
    hashed = f.xxhash64(*names, *(f.isnull(name) for name in names))
    return frame.toDF(*names).agg(f.count("*"), f.sum(hashed.cast("decimal(20,0)"))).first()


def _plain(frame: Any) -> list[Mapping[str, str]]:
    return [{"row": repr(row)} for row in frame.collect()]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        for told in outcomes(Path(sys.argv[1]), sys.argv[2], in_duckdb, Path(place)):
            print(*told)
