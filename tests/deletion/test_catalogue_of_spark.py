"""A Spark catalogue: listed as it is, its entry of a deleted table a view, and back after undo."""

import json
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from jobs import apply_plan
from r2d2.deletion.catalogue import CatalogueEntry, load_catalogue
from r2d2.deletion.session_catalogue import (
    SessionCatalogue,
    aside,
    listing_of,
    settle_catalogue,
)
from r2d2.deletion.verbs.apply import Applied, Refused, apply
from r2d2.deletion.verbs.release import GivenUp, release
from r2d2.deletion.verbs.undo import undo
from r2d2.errors import EXIT_OK, EXIT_USAGE
from tests.support.deletion.small_lake import approved, journal_of, planned, write_lake

pytestmark = pytest.mark.spark
DATABASE = "select"
"""The session's catalogue takes letters, digits and `_` alone; a keyword must be quoted."""


@pytest.fixture
def database(spark: Any) -> Iterator[str]:
    """A database for one test, quoted."""
    quoted = f"`{DATABASE}`"
    spark.sql(f"CREATE DATABASE {quoted}")
    yield quoted
    spark.sql(f"DROP DATABASE {quoted} CASCADE")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    write_lake(tmp_path / "a lake")
    return tmp_path / "a lake"


def external(spark: Any, database: str, name: str, place: Path) -> None:
    """A table of the catalogue over files that lie elsewhere."""
    spark.sql(
        f"CREATE TABLE {database}.{name} (id BIGINT COMMENT 'a number', city STRING, note STRING)"
        f" USING parquet LOCATION '{place}' COMMENT 'from Rome'"
    )


def rows(spark: Any, name: str) -> list[Any]:
    """The rows of a table or view, in order."""
    return sorted(tuple(row) for row in spark.table(name).collect())


def test_a_view_has_the_rows_of_a_deleted_table_until_undo_gives_the_entry_back(
    spark: Any, database: str, lake: Path, tmp_path: Path
) -> None:
    external(spark, database, "rome", lake / "rome")
    before, name = rows(spark, f"{database}.rome"), ("spark_catalog", DATABASE, "rome")
    entry = SessionCatalogue(spark).entry(name)
    assert entry is not None
    assert (entry.comment, entry.columns[0]) == ("from Rome", ("id", "bigint", "a number"))
    journal_steps = applied(spark, lake, tmp_path / "run")
    assert all(isinstance(step, Applied) for step in journal_steps)
    deletion = journal_of(lake).deletion("rome")
    assert msgspec.convert(deletion.record["catalogue"]["entry"], CatalogueEntry) == entry
    (made,) = settle_catalogue(spark, journal_of(lake))
    assert made.is_done, made.told
    there = SessionCatalogue(spark).entry(name)
    assert there is not None
    assert there.kind == "VIEW"
    assert rows(spark, f"{database}.rome") == before
    assert SessionCatalogue(spark).entry(aside(deletion, entry)) is not None
    assert list(settle_catalogue(spark, journal_of(lake))) == []
    list(undo(journal_of(lake), ["rome"]))
    (back,) = settle_catalogue(spark, journal_of(lake))
    assert back.told == "the entry has its name back"
    assert SessionCatalogue(spark).entry(name) == entry
    assert rows(spark, f"{database}.rome") == before
    assert list(settle_catalogue(spark, journal_of(lake))) == []


def test_a_partition_elsewhere_and_a_view_keep_their_tables(
    spark: Any, database: str, lake: Path, tmp_path: Path
) -> None:
    spark.sql(
        f"CREATE TABLE {database}.parts (id BIGINT, d STRING) USING parquet PARTITIONED BY (d)"
    )
    spark.sql(f"ALTER TABLE {database}.parts ADD PARTITION (d='1') LOCATION '{lake / 'rome'}'")
    spark.sql(f"CREATE VIEW {database}.seen AS SELECT id FROM parquet.`{lake / 'oslo.parquet'}`")
    steps = applied(spark, lake, tmp_path / "run")
    refused = {step.table: step.reason for step in steps if isinstance(step, Refused)}
    assert set(refused) == {"oslo.parquet", "rome"}
    assert "parts of the catalogue has rome" in refused["rome"]
    assert "seen of the catalogue reads oslo.parquet" in refused["oslo.parquet"]


def test_an_entry_that_somebody_changed_and_a_managed_one_get_no_view(
    spark: Any, database: str, lake: Path, tmp_path: Path
) -> None:
    external(spark, database, "rome", lake / "rome")
    applied(spark, lake, tmp_path / "run")
    spark.sql(f"ALTER TABLE {database}.rome SET LOCATION '{lake}/elsewhere'")
    (step,) = settle_catalogue(spark, journal_of(lake))
    assert not step.is_done
    assert "another, since the catalogue was listed" in step.told
    entry = SessionCatalogue(spark).entry(("spark_catalog", DATABASE, "rome"))
    assert isinstance(entry, CatalogueEntry)
    assert entry.kind == "EXTERNAL"


def test_the_job_leaves_a_view_and_must_be_told_of_catalogues(
    spark: Any, database: str, lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    external(spark, database, "rome", lake / "rome")
    plan = tmp_path / "run" / "plan.json"
    planned(lake, plan.parent)
    nothing = {"approved_by": "ann", "sha256": None, "out": None, "config": None}
    told = Namespace(**nothing, plan=str(plan), yes=True, catalogue=False, views=False)
    told.no_catalogue = False
    assert apply_plan.applied(told, spark) == EXIT_USAGE
    assert (lake / "rome").exists()
    told.views = True
    assert apply_plan.applied(told, spark) == EXIT_OK
    assert "rome: spark_catalog.select.rome: a view over its recipe" in capsys.readouterr().out
    assert len(rows(spark, f"{database}.rome")) == 100
    assert not (lake / "rome").exists()


def applied(spark: Any, lake: Path, run: Path) -> list[Any]:
    """The steps of an apply that asks the session's catalogue."""
    plan = approved(lake, run)
    file = run / "catalogue.json"
    file.write_bytes(msgspec.json.encode(listing_of(spark)))
    own = [e for e in json.loads(file.read_text())["entries"] if e["name"][1] == DATABASE]
    assert own
    asked = load_catalogue(file, journal_of(lake).place.storage)
    return list(apply(journal_of(lake), plan, run, catalogue=asked))


def test_the_entry_of_a_table_that_is_given_up_has_what_its_owner_wrote(
    spark: Any, database: str, lake: Path, tmp_path: Path
) -> None:
    external(spark, database, "rome", lake / "rome")
    applied(spark, lake, tmp_path / "run")
    list(settle_catalogue(spark, journal_of(lake)))
    spark.table(f"{database}.rome").limit(5).write.parquet(str(lake / "rome"))
    (step,) = (s for s in release(journal_of(lake), ["rome"]) if isinstance(s, GivenUp))
    assert step.entry == f"spark_catalog.{DATABASE}.rome"
    (back,) = settle_catalogue(spark, journal_of(lake))
    assert "the entry has its name back; the deleted table was given up" in back.told
    assert len(rows(spark, f"{database}.rome")) == 5
    assert list(settle_catalogue(spark, journal_of(lake))) == []


def test_a_view_whose_parent_changed_is_dropped(
    spark: Any, database: str, lake: Path, tmp_path: Path
) -> None:
    external(spark, database, "rome", lake / "rome")
    applied(spark, lake, tmp_path / "run")
    list(settle_catalogue(spark, journal_of(lake)))
    pq.write_table(pq.read_table(lake / "whole.parquet").slice(9), lake / "whole.parquet")
    for told in ("the view was dropped", "whole.parquet is gone, or changed since"):
        (step,) = settle_catalogue(spark, journal_of(lake))
        assert not step.is_done
        assert told in step.told
    assert SessionCatalogue(spark).entry(("spark_catalog", DATABASE, "rome")) is None
