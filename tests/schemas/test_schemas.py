"""What r2d2 writes has schemas, which come with it; what is not of its schema is refused."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from jsonschema import Draft202012Validator

import r2d2
from r2d2.cli import main
from r2d2.plan.plan_file import VERSION as PLAN_VERSION
from r2d2.report import GRAPH_VERSION
from r2d2.vmcost.report.data import VERSION as REPORT_VERSION
from tests.support.schemas import FOLDER, fault, schema_of, schemas

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/outputs.md").read_text("utf-8")
NAMES = sorted(schemas())


def schema_objects(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a schema that is a schema, with the place of what it describes."""
    if not isinstance(schema, dict):
        return
    yield place, schema
    for name, part in schema.get("properties", {}).items():
        yield from schema_objects(part, f"{place}.{name}".lstrip("."))
    for key in ("items", "additionalProperties"):
        yield from schema_objects(schema.get(key), f"{place}[]")
    for part in (*schema.get("prefixItems", ()), *schema.get("anyOf", ())):
        yield from schema_objects(part, place)
    for part in schema.get("$defs", {}).values():
        yield from schema_objects(part, place)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the sample lake with its plan."""
    run = tmp_path_factory.mktemp("schemas") / "run"
    r2d2.plan(r2d2.find(REPOSITORY / "sample_lake", out=run), REPOSITORY / "sample_lake/plan.toml")
    return run


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_of_2020_12_with_its_name_and_version(name: str) -> None:
    schema = schemas()[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert re.fullmatch(rf"urn:r2d2:schema:{name}:\d+", schema["$id"])
    assert r2d2.schema(name) == schema


@pytest.mark.parametrize("name", NAMES)
def test_an_object_with_keys_of_its_own_may_have_no_others(name: str) -> None:
    for place, part in schema_objects(schemas()[name]):
        if "properties" in part and "advice" not in place and name != "deletion":
            assert part["additionalProperties"] is False, place


def test_versions_are_those_that_files_state() -> None:
    stated = {"graph": GRAPH_VERSION, "find": GRAPH_VERSION, "funnel": GRAPH_VERSION}
    stated |= {"plan": PLAN_VERSION, "report": REPORT_VERSION, "profile": 1}
    for name, version in stated.items():
        assert schemas()[name]["$id"].endswith(f":{version}")
        own = schemas()[name].get("properties", {})
        told = own.get("version", own.get("profile", {"const": version}))
        assert told["const"] == version


def test_the_wheel_carries_all_schemas(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(REPOSITORY)).build(directory=str(tmp_path), versions=["standard"])
    carried = set(zipfile.ZipFile(wheel).namelist())
    assert {f"r2d2/schemas/{path.name}" for path in FOLDER.iterdir()} <= carried


def test_a_schema_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        r2d2.UsageError, match=r"no schema 'grap': there are audit, catalogue, check, .*, graph, "
    ):
        r2d2.schema("grap")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["graph", "funnel", "inventory", "recipes", "plan"])
def test_files_of_the_sample_lake_are_of_their_schemas(written: Path, name: str) -> None:
    data = json.loads((written / f"{name}.json").read_text("utf-8"))
    assert schema_of(data) == name
    assert fault(name, data) is None


@pytest.mark.slow
def test_a_marker_is_of_its_schema(written: Path) -> None:
    assert fault("marker", json.loads((written / ".r2d2").read_text("utf-8"))) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["graph", "plan"])
def test_a_key_that_is_missing_or_new_is_refused(written: Path, name: str) -> None:
    data = json.loads((written / f"{name}.json").read_text("utf-8"))
    for key in data:
        without = {other: value for other, value in data.items() if other != key}
        assert "is a required property" in (fault(name, without) or "")
    assert "'more' was unexpected" in (fault(name, data | {"more": 1}) or "")
    data["tables"][0]["more"] = 1
    assert fault(name, data) is not None


@pytest.mark.shared
@pytest.mark.parametrize("lake", ["dev/csv", "dev/parquet", "traps"])
def test_runs_of_the_shared_lakes_are_of_their_schemas(
    shared: Path, tmp_path: Path, lake: str
) -> None:
    r2d2.find(shared / "lakes" / lake, out=tmp_path / "run", min_fraction=0.5, types="widened")
    for name in ("graph", "funnel", "inventory"):
        data = json.loads((tmp_path / "run" / f"{name}.json").read_text("utf-8"))
        assert fault(name, data) is None


@pytest.mark.shared
def test_reports_on_the_shared_event_logs_are_of_their_schema(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--provider", "aws", "--region", "us-east-1", "--vm", "m5.xlarge")
    main(["vmcost", str(shared / "event-logs"), *flags, "--out", str(tmp_path / "priced")])
    main(["vmcost", str(shared / "event-logs"), "--out", str(tmp_path / "unpriced")])
    capsys.readouterr()
    for folder in ("priced", "unpriced"):
        data = json.loads((tmp_path / folder / "report.json").read_text("utf-8"))
        assert len(data["applications"]) > 5
        assert fault("report", data) is None


def test_the_page_lists_every_schema() -> None:
    assert set(re.findall(r"`schemas/(\w+)\.json`", PAGE)) == set(NAMES)


def test_the_page_lists_what_may_change_as_the_schemas_mark_it() -> None:
    marked = {
        f"{name}: {place}"
        for name in ("graph", "funnel", "plan", "journal", "report")
        for place, part in schema_objects(schemas()[name])
        if part.get("x-stable") is False
    }
    listed = re.search(r"^<!-- may change -->\n(.*?)^$", PAGE, re.S | re.M)
    assert listed is not None
    rows = re.findall(r"^- `(\w+)\.json`: (.+)$", listed[1], re.M)
    told = {f"{name}: {place}" for name, places in rows for place in re.findall(r"`(.+?)`", places)}
    assert told == marked
