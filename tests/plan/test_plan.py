"""From a lake to a checked plan: what is chosen, what is refused, what is said."""

import copy
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.cli.plan_text import plan_lines
from r2d2.engines.local.recipes import LocalRecipes
from r2d2.errors import UsageError
from r2d2.plan import make_plan, what_if
from r2d2.plan.check import check_plan
from r2d2.plan.diff import Difference, DifferenceKind, _kind, differences
from r2d2.plan.plan_file import digest, load_plan
from r2d2.recipes.run.trial import Trial
from r2d2.settings.plan import (
    Limit,
    PlanLimits,
    PlanSettings,
    Prices,
    Protection,
    Tenant,
    UsageDefaults,
)
from r2d2.storage.output import json_text
from r2d2.text_tables import human_bytes

# Storage is dear, so that tables of a few bytes are worth deleting.
DEAR = PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9))
ROWS = 400


def base() -> pa.Table:
    return pa.table(
        {
            "id": pa.array(range(ROWS)),
            "city": [("Rome", "Oslo", "Lima", "Kyiv")[n % 4] for n in range(ROWS)],
            "price": pa.array([n * 7919 % 1000 / 8 for n in range(ROWS)]),
            "note": [sha256(str(n).encode()).hexdigest() * 3 for n in range(ROWS)],
        }
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run on a lake with a table of each kind of recipe."""
    lake, whole = tmp_path / "lake", base()
    lake.mkdir()
    chance = pa.array([n * 2654435761 % 97 < 30 for n in range(ROWS)])
    tables = {
        "whole": whole,
        "columns": whole.select(["price", "id"]),
        "cities": pa.table({"city": pc.unique(whole["city"])}),
        "oslo": whole.filter(pc.equal(whole["city"], "Oslo")),
        "some": whole.filter(chance),
        "changed": whole.set_column(2, "price", pc.add(whole["price"], 0.5)),
    }
    for name, table in tables.items():
        pq.write_table(table, lake / f"{name}.parquet")
    assert main(["find", str(lake), "--out", str(tmp_path / "run")]) == 0
    return tmp_path / "run"


def chosen(plan: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """The choice and the kind of recipe by table."""
    return {
        t["table"].removesuffix(".parquet"): (t["choice"], t["recipe"] and t["recipe"]["kind"])
        for t in plan["tables"]
    }


def entry(plan: dict[str, Any], name: str) -> dict[str, Any]:
    return next(t for t in plan["tables"] if t["table"] == f"{name}.parquet")


def test_each_kind_of_recipe_is_found_and_run(
    run: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    session = request.getfixturevalue("spark") if engine == "spark" else None
    plan = make_plan(run, DEAR, engine=engine, session=session)
    assert chosen(plan) == {
        "whole": ("keep", None),
        "changed": ("keep", None),
        "columns": ("delete", "project"),
        "cities": ("delete", "distinct"),
        "oslo": ("delete", "select"),
        "some": ("delete", "rows"),
    }
    assert all(t["evidence"]["run"] for t in plan["tables"] if t["choice"] == "delete")
    assert check_plan(plan) == ()
    assert entry(plan, "whole")["reason"].endswith("deleted tables are rebuilt from it")


def test_a_plan_made_again_differs_in_what_was_measured_only(run: Path) -> None:
    one = make_plan(run, DEAR)
    assert make_plan(run, DEAR) == one
    (run / "plan.json").unlink()
    other = make_plan(run, DEAR)
    assert {difference.kind for difference in differences(one, other)} == {DifferenceKind.MEASURED}
    assert what_if(run, DEAR) == what_if(run, DEAR) == other


def test_a_diff_tells_a_decision_from_a_price(run: Path) -> None:
    plan = make_plan(run, DEAR)
    assert differences(plan, plan) == ()
    protected = what_if(run, DEAR, protect=["oslo*"])
    found = differences(plan, protected)
    choice = next(d for d in found if d.key == "choice")
    assert choice == Difference(DifferenceKind.DECISION, "oslo.parquet", "choice", "delete", "keep")
    assert {d.table for d in found if d.kind is DifferenceKind.DECISION} == {"oslo.parquet"}
    dearer = what_if(run, replace(DEAR, prices=Prices(storage_usd_per_gb_month=2e9)))
    assert {d.kind for d in differences(plan, dearer)} == {
        DifferenceKind.SETTING,
        DifferenceKind.MONEY,
    }


def test_a_diff_names_tables_that_came_and_went(run: Path) -> None:
    plan = make_plan(run, DEAR)
    fewer = plan | {"tables": plan["tables"][1:]}
    (gone,) = [d for d in differences(plan, fewer) if d.table]
    assert (gone.kind, gone.table, gone.new) == (
        DifferenceKind.SNAPSHOT,
        plan["tables"][0]["table"],
        None,
    )


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
def test_a_latency_that_nobody_can_wait_is_refused_by_name(
    run: Path, seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_plan(run, DEAR)
    assert main(["plan", "--run", str(run), "--max-latency", seconds]) == 2
    assert f"--max-latency {seconds}: give a number of seconds" in capsys.readouterr().err


@pytest.mark.parametrize("amount", ["nan", "inf", "much"])
def test_savings_to_fail_on_are_an_amount(
    run: Path, amount: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--run", str(run), "--fail-on", f"savings={amount}"]) == 2
    assert "give savings=USD" in capsys.readouterr().err


def test_what_if_reads_nothing_of_the_lake(run: Path) -> None:
    plan = make_plan(run, DEAR)
    shutil.rmtree(run.parent / "lake")
    assert what_if(run, DEAR) == plan
    assert what_if(run, DEAR, max_latency_s=1.0)["totals"]["deleted"] == 0
    kept = chosen(what_if(run, DEAR, protect=["c*"]))
    assert [kept[name][0] for name in ("columns", "cities", "oslo")] == ["keep", "keep", "delete"]


def test_what_if_before_any_plan_says_what_to_do(run: Path) -> None:
    with pytest.raises(UsageError, match="run `r2d2 plan` once"):
        what_if(run, DEAR)


def test_a_table_that_changed_since_find_is_left_alone(run: Path) -> None:
    path = run.parent / "lake/oslo.parquet"
    pq.write_table(base().slice(0, 3), path)
    told = entry(make_plan(run, DEAR), "oslo")
    assert (told["choice"], told["reason"].split(";")[0]) == (
        "keep",
        "it changed since `r2d2 find` looked at it",
    )


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"protect": (Protection("oslo*", "the law"),)}, "protected: the law"),
        ({"limit": (Limit("oslo*", 5.0),)}, "rebuilding takes 2 min at least"),
        ({"usage": UsageDefaults(reads_per_month=1e12)}, "a month, more than keeping it"),
        ({"plan": PlanLimits(1.0, 0.0, 1e12)}, "less than the minimum of $1,000,000,000,000.00"),
        ({"plan": PlanLimits(1.0, 1e12)}, "less than the minimum of $1,000,000,000,000.00"),
        ({"plan": PlanLimits(0.0)}, "the plan may delete 0 B at most"),
        ({"tenant": (Tenant("oslo*", "north"),)}, "belongs to another tenant"),
    ],
)
def test_a_table_stays_for_the_reason_that_is_told(
    run: Path, settings: dict[str, Any], reason: str
) -> None:
    plan = make_plan(run, PlanSettings(prices=DEAR.prices, **settings))
    assert entry(plan, "oslo")["choice"] == "keep"
    assert reason in entry(plan, "oslo")["reason"]
    assert check_plan(plan) == check_plan(plan, run) == ()


@pytest.mark.parametrize("command", [("show",), ("run", "--to", "restored")])
def test_a_recipe_of_a_table_that_is_kept_is_answered_with_the_reason(
    run: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    make_plan(run, DEAR)
    verb, *flags = command
    assert main(["recipe", verb, "whole.parquet", "--run", str(run), *flags]) == 2
    told = capsys.readouterr().err
    why = "deleted tables are rebuilt from it"
    assert "the plan keeps 'whole.parquet', so it has no recipe: " in told
    assert f"{why}; `r2d2 plan show {run} --choice delete` lists those that have one" in told
    assert "did you mean" not in told
    assert main(["recipe", verb, "whale.parquet", "--run", str(run), *flags]) == 2
    assert "the plan deletes no table 'whale.parquet'" in capsys.readouterr().err


def test_recipes_are_listed_by_the_plan_and_the_command_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["recipe", "list"]) == 2
    assert "`r2d2 plan show RUN --choice delete` lists the recipes" in capsys.readouterr().err
    main(["recipe", "--help"])
    assert "r2d2 plan show RUN --choice delete" in capsys.readouterr().out


def test_a_pattern_that_matches_no_table_and_usage_of_other_lakes_are_said(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, reads = tmp_path / "r2d2.toml", tmp_path / "reads.csv"
    settings.write_text("[[protect]]\ntables = 'olso*'\nreason = 'the law'\n")
    reads.write_text(
        "table,reads_per_month,last_read,consumers\noslo,3,2026-09-01,dashboard;churn\nother,1,,\n"
    )
    wanted = ["plan", "--run", str(run), "--config", str(settings), "--usage", str(reads)]
    capsys.readouterr()
    assert main(wanted) == 0
    told = capsys.readouterr().out
    assert "warning: [[protect]] 'olso*' (the law) matches no table of the lake" in told
    assert "warning: usage: 1 line of tables that are not in the lake, such as 'other'" in told
    assert main([*wanted, "--what-if", "--explain", "oslo.parquet"]) == 0
    told = capsys.readouterr().out
    assert "it is read 3 times a month, last on 2026-09-01, by 2 (dashboard; churn)" in told


def test_a_cap_bounds_what_one_plan_frees(run: Path) -> None:
    plan = make_plan(run, PlanSettings(prices=DEAR.prices, plan=PlanLimits(max_deleted_share=0.2)))
    totals = plan["totals"]
    assert 0 < totals["freed_bytes"] <= totals["max_freed_bytes"] < totals["bytes"] * 0.21
    assert check_plan(plan) == ()


@pytest.mark.parametrize("fault", ["wrong", "slow"])
def test_a_recipe_that_fails_when_run_is_struck_out_and_the_rest_solved_again(
    run: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = LocalRecipes.try_out

    def faulty(self: LocalRecipes, tables: Any, work: Any, folder: Path) -> list[Trial]:
        trials = list(honest(self, tables, work, folder))
        for number, (child, _) in enumerate(work):
            if child == "oslo.parquet":
                change = {"problem": "values of price differ"} if fault == "wrong" else {}
                trials[number] = replace(trials[number], seconds=1e6, **change)
        return trials

    monkeypatch.setattr(LocalRecipes, "try_out", faulty)
    plan = make_plan(run, DEAR)
    told = "every recipe for it failed when it was run: values of price differ"
    slow = "its readers may wait 1 h"
    assert entry(plan, "oslo")["choice"] == "keep"
    assert (told if fault == "wrong" else slow) in entry(plan, "oslo")["reason"]
    assert chosen(plan)["columns"] == ("delete", "project")
    assert plan["totals"]["recipes_that_failed"] == (fault == "wrong")
    assert check_plan(plan) == ()


def breakages() -> Iterator[tuple[str, Any]]:
    """Each rule, and what breaks it alone."""

    def put(name: str, **values: Any) -> Any:
        return lambda plan: entry(plan, name).update(values)

    def rest_on_deleted(plan: Any) -> None:
        entry(plan, "oslo")["parents"] = ["columns.parquet"]
        entry(plan, "oslo")["recipe"]["parent"] = "columns.parquet"

    def protect(plan: Any) -> None:
        plan["settings"]["protect"] = [{"tables": "oslo*", "reason": "the law"}]

    yield "latency", lambda plan: plan["settings"]["latency"].update(default_limit_s=1.0)
    yield "must-keep", protect
    yield "recipe-run", put("oslo", evidence={"run": False})
    yield "recipe-parents", put("oslo", parents=["changed.parquet"])
    yield "parent-kept", rest_on_deleted
    yield "cost-total", lambda plan: plan["totals"].update(cost_usd_per_month=1.0)
    yield "cap", lambda plan: plan["settings"]["plan"].update(max_deleted_share=1e-6)
    yield "one-choice", lambda plan: plan["tables"].append(dict(entry(plan, "changed")))


@pytest.mark.parametrize(("rule", "breakage"), list(breakages()), ids=lambda value: str(value)[:20])
def test_check_refuses_a_plan_that_breaks_one_rule_by_its_name(
    run: Path, rule: str, breakage: Any
) -> None:
    plan = copy.deepcopy(make_plan(run, DEAR))
    breakage(plan)
    assert {broken for broken, _ in check_plan(plan)} - {"figure"} == {rule}


def test_a_recipe_is_found_by_its_run_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "r2d2.toml"
    settings.write_text("[prices]\nas_of = 2026-01-01\nstorage_usd_per_gb_month = 1e9\n")
    out = tmp_path / "plan.json"
    assert main(["plan", "--run", str(run), "--config", str(settings), "--out", str(out)]) == 0
    assert out.read_bytes() == (run / "plan.json").read_bytes()
    capsys.readouterr()
    assert main(["recipe", "show", "oslo.parquet", "--run", str(run)]) == 0
    assert json.loads(capsys.readouterr().out)["parent"] == "whole.parquet"
    (run.parent / "lake/oslo.parquet").unlink()
    place = tmp_path / "restored"
    assert main(["recipe", "run", "oslo.parquet", "--run", str(run), "--to", str(place)]) == 0
    expected = base().filter(pc.equal(base()["city"], "Oslo"))
    assert pq.read_table(place / "oslo.parquet").equals(expected)
    assert main(["recipe", "show", "oslo.parquet"]) == 2


def test_no_process_at_all_is_a_usage_error(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--run", str(run), "--threads", "0"]) == 2
    assert "threads = 0: give at least 1" in capsys.readouterr().err


def test_what_recipes_keep_aside_is_told(run: Path) -> None:
    plan = make_plan(run, DEAR)
    kept = plan["totals"]["residual_bytes"]
    assert kept == sum(path.stat().st_size for path in (run / "residuals").iterdir()) > 0
    line = next(line for line in plan_lines(plan) if "kept aside" in line)
    assert line.startswith(f"{human_bytes(kept)} are")
    plan["totals"]["residual_bytes"] = 0
    assert not any("kept aside" in line for line in plan_lines(plan))


def test_a_plan_file_that_was_changed_is_refused(run: Path, tmp_path: Path) -> None:
    plan = make_plan(run, DEAR)
    path = tmp_path / "plan.json"
    path.write_text(json_text(plan))
    assert load_plan(path) == plan
    path.write_text(json.dumps(plan))
    with pytest.raises(UsageError, match="changed since it was written"):
        load_plan(path)
    entry(plan, "oslo")["saving_usd_per_month"] += 1
    path.write_text(json_text(plan))
    with pytest.raises(UsageError, match="changed since it was written"):
        load_plan(path)
    path.write_text(json_text(plan | {"sha256": digest(plan)}))
    assert load_plan(path)


def test_the_commands_work_together(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, plan = tmp_path / "r2d2.toml", tmp_path / "plan.json"
    assert main(["init", str(settings)]) == 0
    text = settings.read_text()
    settings.write_text(text.replace("0.0214", "1e9"))
    wanted = ["plan", "--run", str(run), "--config", str(settings)]
    assert main([*wanted, "--out", str(plan), "--fail-on", "savings=1"]) == 3
    assert main(["check", str(plan)]) == 0
    capsys.readouterr()
    assert main(["recipe", "show", "oslo.parquet", "--plan", str(plan)]) == 0
    assert json.loads(capsys.readouterr().out)["where"][0]["kind"] == "equals"
    assert (
        main(
            [
                "recipe",
                "show",
                "oslo.parquet",
                "--plan",
                str(plan),
                "--run",
                str(run),
                "--dialect",
                "duckdb",
            ]
        )
        == 0
    )
    assert "\"city\" = 'Oslo'" in capsys.readouterr().out
    assert main([*wanted, "--what-if", "--explain", "oslo.parquet"]) == 0
    told = capsys.readouterr().out
    assert "recipe: select from whole.parquet" in told
    assert "  that is: rows of whole.parquet where city = 'Oslo', in " in told
    assert main([*wanted, "--fail-on", "cheese"]) == 2
    prices = tmp_path / "prices.toml"
    prices.write_text("[prices]\nas_of = 2026-01-01\nstorage_usd_per_gb_month = 0.0001\n")
    cheap = tmp_path / "cheap.json"
    assert main([*wanted, "--prices", str(prices), "--out", str(cheap)]) == 0
    assert load_plan(cheap)["totals"]["deleted"] == 0
    capsys.readouterr()
    assert main(["plan", "--diff", str(plan), str(cheap)]) == 0
    assert "oslo.parquet choice: delete → keep" in capsys.readouterr().out
    prices.write_text("[rates]\nstart_up_p95_s = 1\n")
    assert main([*wanted, "--prices", str(prices)]) == 2
    assert main(["plan"]) == 2
    assert main(["plan", "--run", str(tmp_path)]) == 2
    assert main(["init", str(settings)]) == 2


@pytest.mark.parametrize("gone", ["oslo", "columns", "whole"])
def test_a_table_that_is_gone_since_find_is_told_and_all_others_are_planned(
    run: Path, gone: str
) -> None:
    (run.parent / "lake" / f"{gone}.parquet").unlink()
    plan = make_plan(run, DEAR)
    told = f"1 table is gone since `r2d2 find`, such as {gone}.parquet; run that again"
    assert plan["warnings"] == [told]
    assert check_plan(plan) == check_plan(plan, run) == ()
    named = {name for t in plan["tables"] for name in (t["table"], *t["parents"])}
    assert f"{gone}.parquet" not in named
    assert plan["totals"]["deleted"] > 0
    assert f"warning: {told}" in plan_lines(plan)


def test_a_table_that_came_since_find_is_kept_as_such(run: Path) -> None:
    pq.write_table(base(), run.parent / "lake/new.parquet")
    plan = make_plan(run, DEAR)
    assert entry(plan, "new")["reason"].startswith("it came since `r2d2 find` looked at the lake")
    assert check_plan(plan) == check_plan(plan, run) == ()


def test_a_table_that_cannot_be_read_since_find_is_kept(run: Path) -> None:
    (run.parent / "lake/oslo.parquet").write_bytes(b"PAR1 and no more")
    plan = make_plan(run, DEAR)
    assert entry(plan, "oslo")["choice"] == "keep"
    assert check_plan(plan) == check_plan(plan, run) == ()


@pytest.mark.parametrize(
    ("old", "new"), [("2 min", "2 min 4 s"), ("59.9 s", "1 min"), ("120.5 ms", "3 h 20 min")]
)
def test_a_reason_that_differs_by_a_span_of_time_alone_was_measured_anew(
    old: str, new: str
) -> None:
    reason = "it can be rebuilt from 7 minutes.csv in {}"
    assert _kind("reason", reason.format(old), reason.format(new)) is DifferenceKind.MEASURED
    other = reason.replace("minutes", "hours").format(new)
    assert _kind("reason", reason.format(old), other) is DifferenceKind.DECISION
