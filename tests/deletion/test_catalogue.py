"""A catalogue's listing is asked at apply: other entries, partitions and views keep a table."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from r2d2.cli import main
from r2d2.deletion.catalogue import load_catalogue
from r2d2.deletion.verbs.apply import Applied, Refused, apply
from r2d2.errors import UsageError
from tests.support.deletion.small_lake import approved, journal_of, write_lake

Entry = dict[str, Any]


def listing(path: Path, entries: list[Entry], hours: float = 0.0, **more: Any) -> Path:
    """The file of a listing that was made so long ago."""
    at = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    told = {"version": 1, "listed_at": at, "catalogue": "spark_catalog", "not_asked": []}
    path.write_text(json.dumps({**told, "entries": entries, **more}), encoding="utf-8")
    return path


def entry(name: str, location: str | None, kind: str = "EXTERNAL", **more: Any) -> Entry:
    """An entry of the database `sales`."""
    told = {"name": ["spark_catalog", "sales", name], "kind": kind, "location": location}
    return {**told, **more}


def view(name: str, text: str) -> Entry:
    """A view of the database `sales`."""
    return entry(name, None, "VIEW", text=text)


def rome(lake: Path) -> Entry:
    """The catalogue's own entry of the folder."""
    return entry("rome", f"file:{lake}/rome", owner="ann", columns=[["id", "bigint", None]])


def refused(lake: Path, run: Path, entries: list[Entry]) -> dict[str, str]:
    """The tables that stay, with the reason; the others go."""
    plan = approved(lake, run)
    asked = load_catalogue(listing(run / "listing.json", entries), journal_of(lake).place.storage)
    steps = list(apply(journal_of(lake), plan, run, catalogue=asked))
    assert all(isinstance(step, (Applied, Refused)) for step in steps)
    return {step.table: step.reason for step in steps if isinstance(step, Refused)}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    write_lake(tmp_path / "lake")
    return tmp_path / "lake"


def test_a_tables_own_entry_is_journalled_and_does_not_keep_it(lake: Path, tmp_path: Path) -> None:
    assert refused(lake, tmp_path / "run", [rome(lake), entry("far", "/elsewhere")]) == {}
    noted = journal_of(lake).deletion("rome").record["catalogue"]
    assert noted["entry"]["owner"] == "ann"
    assert noted["entry"]["columns"] == [["id", "bigint", None]]
    assert journal_of(lake).deletion("oslo.parquet").record["catalogue"]["entry"] is None


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (lambda lake: entry("twin", f"{lake}/../lake/rome/"), "sales.twin of the catalogue has"),
        (
            lambda lake: entry(
                "parts",
                "/elsewhere",
                partitions=[{"values": {"d": "1"}, "location": f"file://{lake}/rome"}],
            ),
            "sales.parts of the catalogue has rome",
        ),
        (lambda lake: entry("spelt", f"file://{lake}/%72ome"), "sales.spelt of the catalogue has"),
        (lambda lake: view("v", "SELECT id FROM SALES.`Rome`"), "view spark_catalog.sales.v"),
        (lambda lake: view("v", "WITH x AS (SELECT * FROM rome) SELECT * FROM x"), "sales.v"),
        (lambda lake: view("v", f"SELECT * FROM parquet.`{lake}/rome/*.parquet`"), "reads rome"),
        (lambda lake: view("v", "SELECT 1 WHERE 1 IN (SELECT id FROM sales.rome)"), "sales.v"),
    ],
    ids=[
        "twin",
        "partition",
        "spelt otherwise",
        "view by name",
        "view by a part of it",
        "by path",
        "in a subquery",
    ],
)
def test_what_else_has_or_reads_a_table_keeps_it_and_the_others_go(
    lake: Path, tmp_path: Path, more: Any, told: str
) -> None:
    found = refused(lake, tmp_path / "run", [rome(lake), more(lake)])
    assert set(found) == {"rome"}
    assert told in found["rome"]


@pytest.mark.parametrize(
    "more",
    [
        view("v", "SELECT FROM ((("),
        view("v", "SELECT * FROM some_function(1)"),
        entry("odd", None, problem="Metadata cannot be read"),
    ],
    ids=["no SQL", "a function", "not described"],
)
def test_what_cannot_be_understood_keeps_all_tables(
    lake: Path, tmp_path: Path, more: Entry
) -> None:
    assert set(refused(lake, tmp_path / "run", [more])) == {"half.parquet", "oslo.parquet", "rome"}


def test_a_table_of_the_whole_lake_keeps_all_that_is_in_it(lake: Path, tmp_path: Path) -> None:
    found = refused(lake, tmp_path / "run", [entry("all", f"{lake}")])
    assert set(found) == {"half.parquet", "oslo.parquet", "rome"}
    assert "has the whole lake" in found["rome"]


def test_an_entry_with_partitions_elsewhere_keeps_its_table(lake: Path, tmp_path: Path) -> None:
    own = rome(lake) | {"partitions": [{"values": {"d": "1"}, "location": "/elsewhere/d=1"}]}
    assert "has files elsewhere" in refused(lake, tmp_path / "run", [own])["rome"]


def test_a_listing_that_is_old_or_broken_or_not_of_all_is_refused(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, storage = tmp_path / "run", journal_of(lake).place.storage
    approved(lake, run)
    old = listing(run / "old.json", [], hours=30)
    with pytest.raises(UsageError, match="listed 30 hours ago"):
        load_catalogue(old, storage)
    assert load_catalogue(old, storage, most_days=2.0).listing.entries == []
    (run / "broken.json").write_text("{}")
    with pytest.raises(UsageError, match="no listing of a catalogue"):
        load_catalogue(run / "broken.json", storage)
    part = str(listing(run / "part.json", [], not_asked=["ice"]))
    command = ["apply", str(run / "plan.json"), "--yes", "--catalogue", part]
    assert main(command) == 2
    assert "not asked: ice" in capsys.readouterr().err
    assert main([*command, "--no-catalogue"]) == 0
