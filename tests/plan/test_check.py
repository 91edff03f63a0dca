"""`r2d2 check`: each value of a plan is derived again, and the lake is looked at."""

import copy
import json
import os
import re
import shutil
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.errors import UsageError
from r2d2.plan import make_plan, what_if
from r2d2.plan.check import FREE_TEXT, ON_THE_PLANS_WORD, check_plan
from r2d2.plan.lake_now import compare_lake
from r2d2.plan.plan_file import digest, load_plan
from r2d2.plan.usage import Usage
from r2d2.settings.plan import (
    Limit,
    PlanLimits,
    PlanSettings,
    Preference,
    Prices,
    Protection,
    Rates,
    Tenant,
    UsageDefaults,
    ViewRule,
)
from r2d2.storage.output import json_text

ROWS = 400
SETTINGS = PlanSettings(
    prices=Prices(date(2026, 1, 1), "a list", storage_usd_per_gb_month=1e9),
    rates=Rates("profile 7 of 2026-01-01", start_up_p95_s=30.0, vm_type="m5", vm_count=4),
    usage=UsageDefaults(reads_per_month=2.0),
    plan=PlanLimits(max_deleted_share=0.95),
    limit=(Limit("s*", 900.0), Limit("slow*", 1.0)),
    protect=(Protection("kept*", "the law"), Protection("olso*", "a slip")),
    tenant=(Tenant("*", "acme"), Tenant("other*", "umbrella")),
    view=(ViewRule("c*", 1e5), ViewRule("city*", 1e5)),
    prefer=(Preference("w*", "the whole"), Preference("s*", "some")),
)
USAGE = (
    Usage(2, "oslo", 0.5, date(2026, 9, 1), 2, ("dashboard", "churn")),
    Usage(3, "whole", 7.0),
    Usage(4, "elsewhere", 1.0),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder, with a plan of every section, kind of recipe and kind of reason."""
    folder = tmp_path_factory.mktemp("check")
    lake = folder / "lake"
    lake.mkdir()
    whole = pa.table(
        {
            "id": range(ROWS),
            "city": [("Rome", "Oslo", "Lima", "Kyiv")[n % 4] for n in range(ROWS)],
            "note": [sha256(str(n).encode()).hexdigest() * 3 for n in range(ROWS)],
        }
    )
    chance = pa.array([n * 2654435761 % 97 < 30 for n in range(ROWS)])
    tables = {
        "whole": whole,
        "cities": pa.table({"city": pc.unique(whole["city"])}),
        "oslo": whole.filter(pc.equal(whole["city"], "Oslo")),
        "some": whole.filter(chance),
        "slow": whole.slice(0, 50),
        "kept": whole.slice(0, 60),
        "other": whole.slice(0, 70),
        "empty": whole.slice(0, 0),
    }
    for name, table in tables.items():
        pq.write_table(table, lake / f"{name}.parquet")
    for part in range(2):
        (lake / "parts").mkdir(exist_ok=True)
        pq.write_table(whole.slice(part * 90, 90), lake / f"parts/part-0000{part}.parquet")
    return found_and_planned(lake, folder / "run")


def found_and_planned(lake: Path, run: Path) -> Path:
    assert main(["find", str(lake), "--out", str(run)]) == 0
    make_plan(run, SETTINGS, USAGE)
    return run


@pytest.fixture
def lake(run: Path, tmp_path: Path) -> Iterator[Path]:
    """The run's lake, put back afterwards, and planned again: nobody puts a ctime back."""
    shutil.copytree(run.parent / "lake", tmp_path / "lake")
    yield run.parent / "lake"
    shutil.rmtree(run.parent / "lake")
    shutil.copytree(tmp_path / "lake", run.parent / "lake")
    shutil.rmtree(run)
    found_and_planned(run.parent / "lake", run)


@pytest.fixture
def plan(run: Path) -> dict[str, Any]:
    return load_plan(run / "plan.json")


def walked(value: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each place of the plan by name, with what holds it and its key there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        named = inner.get("table", key) if isinstance(inner, dict) else key
        if isinstance(inner, str) and inner.startswith("usage: "):
            named = "usage: …"
        at = f"{place}[{named}]" if isinstance(value, list) else f"{place}.{key}".lstrip(".")
        yield at, value, key
        if isinstance(inner, dict | list):
            yield from walked(inner, at)


def mutations(value: Any) -> Iterator[tuple[str, Any]]:
    """Other values, each with what was done."""
    match value:
        case bool():
            yield "flipped", not value
            yield "number", int(value)
        case int() | float():
            yield "up", value * 1.01 if isinstance(value, float) and value else value + 1
            yield "down", value * 0.99 if isinstance(value, float) else value - 1
            yield from (("negative", -abs(value) - 1), ("infinite", float("inf")))
            yield from (("NaN", float("nan")), ("text", str(value)), ("truth", True))
        case str():
            yield from (("longer", value + "x"), ("empty", ""), ("a number", 7))
        case None:
            yield from (("a number", 1), ("a text", "x"), ("truth", False))
        case list():
            yield "an object", {}
            yield "added", [*value, "x"]
            if value:
                yield from (("removed", value[1:]), ("duplicated", [*value, value[0]]))
            if len(value) > 1 and value[::-1] != value:
                yield "reordered", value[::-1]
        case dict():
            yield from (("a list", []), ("key added", value | {"x": 1}))
            for key in list(value):
                yield f"without {key}", {k: v for k, v in value.items() if k != key}
    if value is not None:
        yield "null", None


def mutated(plan: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The plan with one place changed and its digest made right again."""
    for at, holder, key in walked(plan):
        before = holder[key]
        for what, value in mutations(before):
            if at == "sha256" or (value == before and type(value) is type(before)):
                continue
            holder[key] = value
            yield at, what, plan | {"sha256": digest(plan)}
        holder[key] = before


def is_free(place: str, *patterns: str) -> bool:
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*?") + r"([.[].*)?", place)
        for pattern in (*FREE_TEXT, *patterns)
    )


def refusal(plan: dict[str, Any], run: Path | None) -> str:
    """What the check says; empty where it finds nothing."""
    try:
        return "\n".join(sentence for _, sentence in check_plan(plan, run))
    except UsageError as error:
        return str(error)


def test_the_plan_has_every_kind_of_choice_and_holds(plan: dict[str, Any], run: Path) -> None:
    assert check_plan(plan, run) == check_plan(plan) == ()
    found = {t["table"]: t["recipe"]["kind"] for t in plan["tables"] if t["recipe"]}
    assert set(found.values()) == {"select", "distinct", "rows", "union"} & set(found.values())
    assert len(found) >= 4
    reasons = {t["reason"].split(":")[0] for t in plan["tables"] if t["choice"] == "keep"}
    assert len(reasons) >= 4, reasons


@pytest.mark.slow
def test_a_plan_with_any_value_changed_is_refused_by_its_place(
    plan: dict[str, Any], run: Path
) -> None:
    passed, tried = passing(plan, run)
    assert passed == []
    assert tried > 3000


@pytest.mark.slow
def test_without_its_run_only_the_places_that_are_listed_pass(plan: dict[str, Any]) -> None:
    passed, _ = passing(plan, None, *ON_THE_PLANS_WORD)
    assert passed == []


def passing(plan: dict[str, Any], run: Path | None, *free: str) -> tuple[list[str], int]:
    """The places that are not free and pass with another value, and how many were tried."""
    passed, tried = list[str](), 0
    for at, what, changed in mutated(copy.deepcopy(plan)):
        tried += 1
        place = f"{at} (order)" if (what, at[:9]) == ("reordered", "settings.") else at
        if not refusal(changed, run) and not is_free(place, *free):
            passed.append(f"{at} {what}")
    return passed, tried


def test_a_refusal_leads_to_the_place(plan: dict[str, Any], run: Path) -> None:
    at = r"tables\[oslo.parquet\].saving_usd_per_month: the plan says 1.0, it is "
    oslo = next(t for t in plan["tables"] if t["table"] == "oslo.parquet")
    assert re.match(at, refusal(with_entry(plan, "oslo.parquet", saving_usd_per_month=1.0), run))
    assert "$.tables[" in refusal(with_entry(plan, "oslo.parquet", frees_bytes="x"), run)
    assert "lower.parquet" in refusal(
        with_entry(plan, "oslo.parquet", recipe=oslo["recipe"] | {"parent": "lower.parquet"}), run
    )


def test_as_many_consumers_are_told_as_are_named(plan: dict[str, Any], run: Path) -> None:
    (oslo,) = (t for t in plan["tables"] if t["table"] == "oslo.parquet")
    more = oslo["usage"] | {"consumer_names": ["dashboard", "churn", "a third"]}
    told = refusal(with_entry(plan, "oslo.parquet", usage=more), run)
    assert told == "tables[oslo.parquet].usage.consumers: the plan says 2, it names 3"


def with_entry(plan: dict[str, Any], name: str, **values: Any) -> dict[str, Any]:
    tables = [t | values if t["table"] == name else t for t in plan["tables"]]
    return plan | {"tables": tables}


def test_without_its_run_only_what_was_measured_is_taken_on_the_plans_word(
    plan: dict[str, Any],
) -> None:
    for place in ("oslo.parquet", "kept.parquet", "slow.parquet"):
        for key in ("keep_usd_per_month", "latency_limit_s", "size_bytes", "must_keep", "tenant"):
            changed = with_entry(plan, place, **{key: "x" if key in ("must_keep", "tenant") else 7})
            assert place in refusal(changed, None), key
    for total in plan["totals"].keys() - {p.removeprefix("totals.") for p in ON_THE_PLANS_WORD}:
        wrong = plan["totals"] | {total: plan["totals"][total] + 1}
        assert refusal(plan | {"totals": wrong}, None), total
    assert "reason" in refusal(with_entry(plan, "empty.parquet", reason="it is old"), None)
    limit = "rebuilding takes 30 s at least, its readers may wait 16 min 39 s"
    assert "reason" in refusal(with_entry(plan, "slow.parquet", reason=limit), None)


def test_a_plan_that_says_it_is_optimal_and_could_delete_more_is_refused(
    plan: dict[str, Any], run: Path
) -> None:
    """A consistent plan: all of its figures are made again, with one deletion left out."""
    protected = what_if(run, SETTINGS, USAGE, protect=["oslo*"])
    rule = protected["settings"]["protect"].pop()
    assert rule["tables"] == "oslo*"
    broken = dict(check_plan(protected, run))
    assert broken["optimal"] == "oslo.parquet: to rebuild it from whole.parquet would cost less"


@pytest.mark.parametrize("name", ["graph.json", "recipes.json"])
def test_the_files_of_another_run_vouch_for_nothing(
    plan: dict[str, Any], run: Path, tmp_path: Path, name: str
) -> None:
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / name
    path.write_text(path.read_text().replace("oslo", "osla"))
    assert f"{path} is not the file that the plan was made with" in refusal(plan, tmp_path / "run")
    path.unlink()
    told = refusal(plan, tmp_path / "run")
    assert str(tmp_path / "run") in told
    assert name in told


def test_a_residual_that_is_gone_or_changed_is_named(
    plan: dict[str, Any], run: Path, tmp_path: Path
) -> None:
    shutil.copytree(run, tmp_path / "run")
    (path,) = (tmp_path / "run/residuals").iterdir()
    path.write_bytes(path.read_bytes() + b"x")
    assert "some.parquet" in refusal(plan, tmp_path / "run")
    path.unlink()
    assert "No such file" in refusal(plan, tmp_path / "run")


def since(plan: dict[str, Any], run: Path | None) -> tuple[set[str], str]:
    """The rules that the lake breaks by now, and all that is said."""
    found = compare_lake(plan, run)
    told = [sentence for _, sentence in found.broken]
    return {rule for rule, _ in found.broken}, "\n".join((*told, *found.notes))


def test_a_file_of_others_that_came_into_a_folder_that_goes_is_named(
    plan: dict[str, Any], run: Path, lake: Path
) -> None:
    (lake / "parts/notes.txt").write_text("what is this?")
    rules, told = since(plan, run)
    assert rules == {"lake-foreign"}
    assert "parts: the file parts/notes.txt came, in its folder and not of it" in told
    (lake / "notes.txt").write_text("beside the tables")
    (lake / "parts/notes.txt").unlink()
    assert since(plan, run) == (set(), "")


@pytest.mark.parametrize("at_hand", [True, False], ids=["run", "plan alone"])
def test_a_file_of_a_table_that_goes_or_is_rested_on_is_named_where_it_is_another(
    plan: dict[str, Any], run: Path, lake: Path, at_hand: bool
) -> None:
    beside = run if at_hand else None
    os.utime(lake / "empty.parquet", ns=(0, 0))
    (lake / "new.parquet").write_bytes((lake / "whole.parquet").read_bytes())
    rules, told = since(plan, beside)
    assert rules == set()
    assert "empty.parquet" in told
    assert "1 table came since the plan was made, such as new.parquet" in told
    os.utime(lake / "whole.parquet", ns=(0, 0))
    os.utime(lake / "parts/part-00001.parquet", ns=(0, 0))
    (lake / "oslo.parquet").unlink()
    shutil.copy(lake / "whole.parquet", lake / "parts/part-00002.parquet")
    (lake / "parts/part-00000.parquet").unlink()
    rules, told = since(plan, beside)
    assert rules == {"lake-missing", "lake-changed", "lake-foreign"}
    assert "whole.parquet" in told
    assert "oslo.parquet is gone" in told
    assert "the file parts/part-00000.parquet is gone" in told
    assert "the file parts/part-00001.parquet changed" in told
    assert "the file parts/part-00002.parquet came" in told


def test_a_reason_to_stay_that_came_since_refuses_the_plan(
    plan: dict[str, Any], run: Path, lake: Path
) -> None:
    (lake / "link.parquet").symlink_to(lake / "oslo.parquet")
    rules, told = since(plan, run)
    assert rules == {"lake-must-keep"}
    assert "oslo.parquet must stay by now" in told


def test_the_command_tells_all_and_ends_as_documented(
    run: Path, lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / "plan.json"
    digest = json.loads(path.read_text())["sha256"]
    holds = f"the plan holds\nnote: its SHA-256, for `r2d2 approve --sha256`, is {digest}\n"
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == holds
    shutil.copy(path, tmp_path / "plan.json")
    assert main(["check", str(tmp_path / "plan.json")]) == 0
    assert "taken on the plan's word" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "plan.json"), "--run", str(run)]) == 0
    assert capsys.readouterr().out == holds
    (lake / "oslo.parquet").unlink()
    assert main(["check", str(path), "--no-lake"]) == 0
    capsys.readouterr()
    assert main(["check", str(path)]) == 1
    printed = capsys.readouterr().out
    assert "lake-missing: oslo.parquet is gone" in printed
    none = "nothing of it may be approved or applied; run `r2d2 find` and `plan` again"
    assert printed.startswith(f"refused, for 1 reason: {none}\n")
    assert digest not in printed, "what is refused is not to be approved"
    assert main(["check", str(path), "--json"]) == 1
    told, *notes = json.loads(capsys.readouterr().out)
    assert (told["rule"], told["refuses"]) == ("lake-missing", True)
    assert not any(note["refuses"] or digest in note["told"] for note in notes)
    assert "`r2d2 find` and `plan` again" in notes[0]["told"]
    lake.rename(tmp_path / "moved")
    assert main(["check", str(path)]) == 2
    assert "the plan's lake is no folder any more; bring it back" in capsys.readouterr().err
    (tmp_path / "moved").rename(lake)
    surrogate = '{"version": 2, "lake": "\\ud800"}'
    for text in ('{"version": 1}', surrogate, "[" * 99999, '{"a": 1, "a": 2}', '{"a": NaN}', "[]"):
        (tmp_path / "plan.json").write_text(text)
        assert main(["check", str(tmp_path / "plan.json")]) == 2


def test_a_touched_file_is_refused_as_perhaps_the_same(
    run: Path, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.utime(lake / "whole.parquet", ns=(0, 0))
    assert main(["check", str(run)]) == 1
    verdict, told, *_ = capsys.readouterr().out.splitlines()
    assert verdict.startswith("refused, for 1 reason: ")
    why = "(in time, not in size: it was touched, or has other rows; a check reads none)"
    assert told == f"lake-changed: whole.parquet changed since the plan was made {why}"


def test_a_plan_with_a_wrong_figure_is_to_be_made_again(
    plan: dict[str, Any], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = plan | {"totals": plan["totals"] | {"deleted": 1}}
    (tmp_path / "plan.json").write_text(json_text(wrong | {"sha256": digest(wrong)}))
    assert main(["check", str(tmp_path / "plan.json"), "--run", str(run)]) == 1
    verdict = capsys.readouterr().out.splitlines()[0]
    assert verdict.endswith("nothing of it may be approved or applied; run `r2d2 plan` again")


def test_the_page_lists_what_any_value_passes_for() -> None:
    assert sorted(listed("free text")) == sorted(FREE_TEXT)
    assert sorted(listed("the plan's word")) == sorted(ON_THE_PLANS_WORD)


def listed(name: str) -> list[str]:
    """The places in the first column of the page's table of that name."""
    page = (Path(__file__).parents[2] / "docs/plan.md").read_text()
    table = page.partition(f"<!-- {name} -->\n")[2].partition("\n\n")[0]
    cells = "".join(line.split("|")[1] for line in table.splitlines()[2:])
    return re.findall(r"`([^`]+)`", cells)
