"""The calls of the library return what the command line writes, and say it shortly."""

import inspect
import pydoc
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2 import api
from r2d2.api.costs import VmCosts
from r2d2.model import Types
from r2d2.plan.plan_file import load_plan
from r2d2.settings.find import Settings
from r2d2.vmcost.events import LeftOutLog

REPOSITORY = Path(__file__).parents[2]
HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202e.parquet"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two equal tables, a part of them, and one that is damaged."""
    rows = pa.table({"id": range(1000), "place": ["north", "south"] * 500})
    folder = tmp_path / "lake"
    folder.mkdir()
    for name, table in (("all", rows), ("copy", rows), ("part", rows.slice(0, 100))):
        pq.write_table(table, folder / f"{name}.parquet")
    (folder / "damaged.parquet").write_bytes(b"PAR1 no more")
    return folder


def sorted_columns(edges: tuple[r2d2.Edge, ...]) -> list[r2d2.Edge]:
    """The edges with their columns in order of name, as JSON has them."""
    return [replace(edge, columns=tuple(sorted(edge.columns))) for edge in edges]


def test_tables_are_listed_with_their_problems(lake: Path) -> None:
    found = r2d2.tables(lake)
    assert [(t.location, t.eligible) for t in found.tables] == [
        ("all.parquet", True),
        ("copy.parquet", True),
        ("damaged.parquet", False),
        ("part.parquet", True),
    ]
    assert repr(found) == f"<{lake}: 3 tables (1 more left out)>"


def test_a_run_that_is_opened_is_the_run_that_was_written(lake: Path, tmp_path: Path) -> None:
    run = r2d2.find(lake, out=tmp_path / "run", min_fraction=0.05)
    opened = r2d2.open_run(tmp_path / "run")
    assert len(run.edges) == 6
    assert sorted_columns(opened.edges) == sorted_columns(run.edges)
    assert opened.tables.to_arrow() == run.tables.to_arrow()
    for name in ("degenerate", "equal", "skipped", "warnings", "lake", "folder", "owners"):
        assert getattr(opened, name) == getattr(run, name)
    assert list(map(repr, opened.funnel)) == list(map(repr, run.funnel))
    assert opened.settings.min_fraction == 0.05
    assert opened.open_pairs() == run.open_pairs() == 0


def test_pairs_that_no_stage_decided_are_counted_in_an_opened_run(
    lake: Path, tmp_path: Path
) -> None:
    run = r2d2.find(lake, out=tmp_path / "run", stages=("schema",))
    assert run.open_pairs() == r2d2.open_run(tmp_path / "run").open_pairs() == 6


def test_degenerate_edges_are_the_same_in_an_opened_run(lake: Path, tmp_path: Path) -> None:
    pq.write_table(pq.read_table(lake / "all.parquet").slice(0, 0), lake / "none.parquet")
    run = r2d2.find(lake, out=tmp_path / "run")
    assert len(run.degenerate) == 3
    assert r2d2.open_run(tmp_path / "run").degenerate == run.degenerate


def test_a_run_says_its_size_in_a_line(lake: Path) -> None:
    run = r2d2.find(lake)
    assert repr(run) == f"<{lake}: 3 tables (1 more left out), 4 edges, 1 group of equal tables>"
    assert repr(run.edges) == "<4 edges>"
    assert run.equal == (("all.parquet", "copy.parquet"),)
    assert len(repr(run.edges[0])) < 300
    assert len(repr(run.tables[0])) < 300


def test_a_plan_is_that_of_the_run_and_stays_with_it(lake: Path, tmp_path: Path) -> None:
    run = r2d2.find(lake, out=tmp_path / "run")
    assert run.plan is None
    settings = r2d2.PlanSettings()
    limits = replace(settings.plan, min_saving_usd_per_month=0.0, min_plan_saving_usd_per_month=0.0)
    settings = replace(settings, plan=limits, usage=replace(settings.usage, reads_per_month=0.0))
    plan = r2d2.plan(run, settings)
    assert run.plan == plan
    assert plan.data == load_plan(tmp_path / "run" / "plan.json")
    assert {entry.choice for entry in plan.deleted} == {"delete"}
    assert len(plan.deleted) == plan.totals.deleted == 2
    assert len(plan.kept) == 2
    assert plan.deleted[0].recipe is not None
    assert plan.kept[0].recipe is None
    assert repr(plan).startswith(f"<plan for {lake}: 2 of 3 tables (1 more left out) deleted, ")
    assert "part.parquet" in plan._repr_html_()


def test_a_plan_takes_settings_from_the_plan_before_it(lake: Path, tmp_path: Path) -> None:
    run = r2d2.find(lake, out=tmp_path / "run")
    (tmp_path / "r2d2.toml").write_text('[[protect]]\ntables = "part*"\nreason = "ours"\n')
    first = r2d2.plan(run, tmp_path / "r2d2.toml")
    again = r2d2.plan(tmp_path / "run")
    assert again.tables == first.tables
    assert [t.must_keep for t in again.tables][-1] == "protected: ours"


def test_a_plan_needs_a_run_with_a_folder(lake: Path) -> None:
    with pytest.raises(r2d2.UsageError, match="the run has no folder: give `find` one"):
        r2d2.plan(r2d2.find(lake))


def test_keywords_of_find_are_the_fields_of_its_settings() -> None:
    keywords = set(api.FindChanges.__annotations__) | {"types"}
    assert keywords == {each.name for each in fields(Settings)}


def test_types_may_be_given_by_name(lake: Path) -> None:
    assert r2d2.find(lake, types="widened").settings.types is Types.WIDENED


def test_packages_that_are_calls_too_are_both() -> None:
    from r2d2.plan import make_plan
    from r2d2.vmcost.pipeline import cost

    assert callable(r2d2.plan)
    assert callable(r2d2.vmcost)
    assert sys.modules["r2d2.plan"].make_plan is make_plan
    assert sys.modules["r2d2.vmcost.pipeline"].cost is cost


def test_a_result_is_a_frame_of_its_main_rows(lake: Path, tmp_path: Path) -> None:
    run = r2d2.find(lake, out=tmp_path / "run")
    plan = r2d2.plan(run)
    listed = r2d2.tables(lake)
    for result, rows in ((listed, listed.tables), (run, run.edges), (plan, plan.tables)):
        assert result.to_arrow() == rows.to_arrow()
        assert result.to_polars().rows() == rows.to_polars().rows()
        assert result.to_pandas().equals(rows.to_pandas())


def test_every_public_collection_of_a_result_is_a_frame(lake: Path, tmp_path: Path) -> None:
    run = r2d2.find(lake, out=tmp_path / "run")
    plan = r2d2.plan(run)
    costs = VmCosts.of({"applications": []}, [LeftOutLog("log", "it is torn")])
    of_run = (run.tables, run.edges, run.degenerate, run.equal, run.funnel)
    of_plan = (plan.tables, plan.deleted, plan.kept)
    of_costs = (costs.applications, costs.jobs, costs.stages, costs.executors, costs.left_out)
    for rows in (*of_run, *of_plan, *of_costs):
        assert rows.to_arrow().num_rows == rows.to_polars().height == len(rows.to_pandas())
    (group,) = run.equal.to_arrow().to_pylist()
    assert group == {"tables": ["all.parquet", "copy.parquet"], "count": 2}
    assert costs.left_out.to_arrow().to_pylist() == [{"path": "log", "reason": "it is torn"}]


@pytest.mark.parametrize("name", ["tables", "find", "plan", "vmcost"])
def test_help_on_a_call_tells_all_of_it(name: str) -> None:
    told = pydoc.render_doc(getattr(r2d2, name), renderer=pydoc.plaintext)
    sections = re.split(r"^ *(Args|Returns|Raises|Example):$", told, flags=re.M)
    assert sections[1::2] == ["Args", "Returns", "Raises", "Example"]
    arguments = set(re.findall(r"^ {8}(\w+): ", sections[2], re.M))
    assert arguments == set(inspect.signature(getattr(api, name)).parameters)
    assert f">>> r2d2.{name}(" in sections[8] or f"r2d2.{name}(" in sections[8]
    assert "make_plan(" not in told


def test_help_on_find_names_each_setting() -> None:
    assert api.find.__doc__ is not None
    named = set(re.findall(r"`(\w+)`", api.find.__doc__))
    assert named >= api.FindChanges.__annotations__.keys()


def test_every_error_is_a_public_class() -> None:
    from r2d2 import errors

    names = {name for name, each in vars(errors).items() if isinstance(each, type)}
    assert names <= set(r2d2.__all__)
    assert all(getattr(r2d2, name).__doc__ for name in names)
    assert all(issubclass(getattr(r2d2, name), r2d2.R2D2Error) for name in names)


def test_every_public_name_has_a_home() -> None:
    assert sorted(dir(r2d2)) == sorted(r2d2.__all__)
    for name in r2d2.__all__:
        assert getattr(r2d2, name) is not None


@pytest.mark.slow
def test_importing_r2d2_imports_none_of_its_modules_or_libraries() -> None:
    code = (
        "import sys, r2d2; libraries = {'pyarrow', 'numpy', 'msgspec', 'cyclopts', 'xxhash'};"
        "print([n for n in sys.modules if n.startswith('r2d2.') or n in libraries])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(r2d2.UsageError, match="give the folder that `r2d2 find --out` wrote"):
        r2d2.open_run(tmp_path)


def test_a_run_without_its_funnel_is_refused(lake: Path, tmp_path: Path) -> None:
    r2d2.find(lake, out=tmp_path / "run")
    (tmp_path / "run" / "funnel.json").unlink()
    with pytest.raises(r2d2.UsageError, match=r"funnel\.json: No such file"):
        r2d2.open_run(tmp_path / "run")


def test_no_log_costs_nothing_to_refuse() -> None:
    with pytest.raises(r2d2.UsageError, match="give one or more event logs"):
        r2d2.vmcost()


@pytest.mark.shared
def test_costs_are_those_of_the_report(shared: Path) -> None:
    log = shared / "event-logs/emr-join-agg.zstd"
    costs = r2d2.vmcost(log, vm="m5.xlarge", provider="aws", region="us-east-1")
    (application,) = costs.applications
    assert application.money is not None
    assert costs.usd == application.usd == pytest.approx(sum(application.money.values()))
    assert repr(costs) == "<1 application: $0.003200>"
    assert [row.id for row in costs.jobs] == ["0", "1", "2", "3", "4"]
    assert costs.stages[0].id == "0.0"
    assert len(costs.executors) == len(costs.data["applications"][0]["by_executor"]) == 10
    assert costs.left_out == ()


def test_logs_without_an_application_are_named(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("no event\n")
    with pytest.raises(r2d2.UsageError, match=r"log: .*application"):
        r2d2.vmcost(tmp_path / "log")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"engine": "foo"}, "engine"),
        ({"include": "exports"}, "include"),
        ({"types": "x"}, "types"),
        ({"bogus": 1}, "bogus"),
        ({"min_fraction": "a"}, "min_fraction"),
        ({"exclude": 3}, "exclude"),
        ({"renamed": 1}, "renamed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_argument_of_find_is_a_usage_error_that_names_it(
    lake: Path, wrong: dict[str, Any], told: str
) -> None:
    with pytest.raises(r2d2.UsageError, match=told):
        r2d2.find(lake, **wrong)


def test_output_in_the_lakes_own_place_or_above_it_is_refused(lake: Path) -> None:
    for place in (lake, lake.parent):
        with pytest.raises(r2d2.UsageError, match="a folder of its own"):
            r2d2.find(lake, out=place)


def test_logs_that_are_not_there_are_an_error() -> None:
    with pytest.raises(r2d2.UsageError, match="no log could be read"):
        r2d2.vmcost("/no/such/logs")
