"""The text of a plan: what is kept has names, and no line grows with the lake."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from r2d2.cli.plan_text import _bounds_line, _limit_line, _seconds_line, compared_line, plan_lines
from r2d2.model import UnmatchedColumn, Why
from r2d2.plan.plan_file import plain
from r2d2.settings.plan import PlanLimits, PlanSettings, UsageDefaults

DEFAULTS = PlanSettings()
FIGURES: dict[str, Any] = {"size_bytes": 1, "keep_usd_per_month": 1.0, "must_keep": None}


def plan(tables: Sequence[dict[str, Any]], settings: PlanSettings = DEFAULTS) -> dict[str, Any]:
    totals: dict[str, Any] = {"deleted": 0, "tables": len(tables), "freed_bytes": 0, "bytes": 0}
    totals |= {"payback_months": None, "deleted_reads_assumed": 0, "below_min_saving": 1}
    totals |= {"passes_over_parents": {}}
    money = {"saving_usd_per_month": 0.0, "keep_all_usd_per_month": 0.0, "residual_bytes": 0}
    solver = {"status": "optimal", "name": "highs", "version": "1", "options": 1, "views": 0}
    return {
        "totals": totals | money,
        "solver": solver,
        "settings": plain(asdict(settings)),
        "owners": {},
        "warnings": [],
        "tables": list(tables),
    }


def kept(name: str, reason: str) -> dict[str, Any]:
    return {"table": name, "choice": "keep", "reason": reason, "parents": []} | FIGURES


def test_the_size_from_which_a_deletion_pays_is_told_with_its_minimum_and_without() -> None:
    """By hand: 0.02595 USD a GB to keep, 0.0064 to start, 0.0022437 a GB for the rest."""
    settings = DEFAULTS
    made = plan([kept("a", "it is dear")], settings)
    least = "from 38.5 GB on where nobody reads the table, from 42.5 GB on at 1 read a month"
    alone = "at any size where nobody reads the table, from 270.0 MB on at 1 read a month"
    told = f"a deletion saves the minimum of $1.00 a month {least}; by prices alone it pays {alone}"
    assert told in list(plan_lines(made))
    free = replace(settings, plan=PlanLimits(min_saving_usd_per_month=0.0))
    told = f"at these prices a deletion pays {alone}"
    assert told in list(plan_lines(plan([kept("a", "it is dear")], free)))


def test_where_nothing_is_read_the_size_is_told_once_and_where_reads_are_dear_there_is_none() -> (
    None
):
    unread = replace(DEFAULTS, usage=UsageDefaults(reads_per_month=0.0))
    least = "a deletion saves the minimum of $1.00 a month from 38.5 GB on"
    nobody = "where nobody reads the table"
    told = f"{least} {nobody}; by prices alone it pays at any size {nobody}"
    assert told in list(plan_lines(plan([kept("a", "it is dear")], unread)))
    often = replace(DEFAULTS, usage=UsageDefaults(reads_per_month=100.0))
    lines = "\n".join(plan_lines(plan([kept("a", "it is dear")], often)))
    assert lines.count("at no size at 100 reads a month") == 2


def test_the_size_is_told_where_a_table_stays_for_its_cost_beside_others_that_go() -> None:
    reason = "rebuilding it would cost $2.88 a month, more than keeping it"
    for why, is_told in ((reason, True), ("the law", False)):
        made = plan([kept("a", why)])
        made["totals"] |= {"deleted": 1, "below_min_saving": 0}
        assert ("by prices alone" in "\n".join(plan_lines(made))) == is_told


def test_a_what_if_is_told_against_the_plan_that_is_there() -> None:
    there = {"totals": {"deleted": 3, "saving_usd_per_month": 10.0}}
    less = {"totals": {"deleted": 2, "saving_usd_per_month": 4.0}}
    told = "against run/plan.json: "
    assert compared_line(there, less, "run/plan.json") == (
        f"{told}1 fewer table deleted, $6.00 less saved a month"
    )
    assert compared_line(there, there, "run/plan.json") == (
        f"{told}as many tables deleted, as much saved a month"
    )


def test_passes_over_parents_are_told_the_most_first() -> None:
    made = plan([kept("a", "it is dear")])
    made["totals"]["passes_over_parents"] = {"a": 2, "b": 5, "c": 2, "d": 1, "e": 1}
    told = "passes over parents whose rows exceed the memory: b 5, a 2, c 2 and 2 more"
    assert told in list(plan_lines(made))


def deleted(name: str, parents: Sequence[str]) -> dict[str, Any]:
    figures = {"frees_bytes": 1, "saving_usd_per_month": 1.0, "rebuild_p95_s": 1.0}
    recipe = {"recipe": {"kind": "union"}, "reason": "", "parents": list(parents)}
    recipe |= {"copy_that_stays": None, "way": "rebuild", "evidence": {"survives": {}}}
    return {"table": name, "choice": "delete", **FIGURES, **figures, **recipe}


def test_a_recipe_that_a_rewrite_of_its_parent_breaks_is_marked() -> None:
    listed = deleted("listed", ["a"])
    listed["evidence"] = {"survives": {"a": {"append": "never", "rewrite": "never"}}}
    told = list(plan_lines(plan([listed, deleted("half", ["a"])])))
    (marked,) = (line for line in told if line.startswith("listed"))
    assert " union* " in marked
    assert sum("*" in line for line in told) == 2
    assert any(line.startswith("* comes back only while its parent's files") for line in told)


def kept_lines(tables: Sequence[dict[str, Any]]) -> Iterator[str]:
    return (line for line in plan_lines(plan(tables)) if line.startswith("kept"))


def test_a_reason_that_keeps_few_tables_names_them() -> None:
    few = [kept(name, "no recipe") for name in "abc"]
    many = [kept(name, "protected") for name in "defg"]
    assert list(kept_lines([*few, *many])) == ["kept 4: protected", "kept 3: no recipe (a, b, c)"]


def test_a_lake_of_which_much_cannot_be_read_has_a_plan_that_can() -> None:
    lines = list(kept_lines([kept(f"t{n}", f"it cannot be judged: {n}") for n in range(60)]))
    assert len(lines) == 21
    assert lines[-1] == "kept 40: for 40 more reasons (see `plan show`)"


def test_tables_that_cannot_be_judged_for_one_reason_are_one_line() -> None:
    names = [f"d1/{n}.parquet" for n in range(12)]
    told = [kept(name, f"it cannot be judged: {name}: no Parquet footer") for name in names[1:]]
    told.append(kept("d2", "it cannot be judged: d2/part-0.parquet: no Parquet footer"))
    assert list(kept_lines(told)) == ["kept 12: it cannot be judged: no Parquet footer"]


def test_of_many_parents_the_first_are_named() -> None:
    two, twelve = [f"2025-{n:02}" for n in (1, 2)], [f"2025-{n:02}" for n in range(1, 13)]
    lines = list(plan_lines(plan([deleted("year", twelve), deleted("half", two)])))
    assert any(line.endswith("union  2025-01, 2025-02 and 10 more") for line in lines)
    assert any(line.endswith("union  2025-01 and 2025-02") for line in lines)


def test_the_folders_of_a_plan_are_told_and_what_to_do_next() -> None:
    entries = [deleted("a/x", ["b/all"]), kept("b/all", "a/x is rebuilt from it")]
    lines = list(plan_lines(plan(entries), "my run"))
    assert "a       1 of 1   1 B    $1.00" in lines
    check, report = (" ".join(line.split()) for line in lines[-2:])
    assert check.startswith("r2d2 check 'my run/plan.json' whether it still holds")
    assert report.startswith("r2d2 report 'my run' all of it")


def test_three_copies_that_stay_are_told_with_one_and() -> None:
    entries = [deleted(name, ["p"]) for name in "abc"]
    for entry, copy in zip(entries, "xyz", strict=True):
        entry["copy_that_stays"] = {"table": copy, "because": "it costs less"}
    assert "of equal copies x, y and z stay: it costs less" in list(plan_lines(plan(entries)))


def test_a_deletion_that_may_cost_more_than_it_saves_is_told_without_a_negative_saving() -> None:
    def told(least_usd: float, most_usd: float) -> list[str]:
        bounds = {"least": least_usd, "most": most_usd}
        return list(_bounds_line({f"saving_at_{k}_usd_per_month": v for k, v in bounds.items()}))

    (line,) = told(-10.08, 1.74)
    assert "costs $10.08 a month more than it saves if it is read often, and saves $1.74" in line
    assert told(1.0, 2.0) == ["  its deletion saves $1.00 to $2.00, as its reads are unknown"]
    assert told(2.0, 2.0) == []


def test_the_reasons_of_a_copy_that_stays_are_one_line() -> None:
    entries = [deleted(name, ["p"]) for name in "abc"]
    for entry, why in zip(entries, ("not named as a copy", "first", "first"), strict=True):
        entry["copy_that_stays"] = {"table": "p", "because": why}
    lines = [line for line in plan_lines(plan(entries)) if line.startswith("of equal copies")]
    assert lines == ["of equal copies p stays: first (b and c); not named as a copy (a)"]


def test_a_limit_is_told_with_who_sets_it() -> None:
    rule = [{"tables": "a", "limit_s": 60.0}]
    table = {"table": "a", "latency_limit_s": 60.0, "usage": {"unread": True}}
    waits = "  its readers may wait 1 min, "
    told = _limit_line(table, {"limit": rule, "view": []})
    assert told == f"{waits}by [[limit]] a"
    of_long = f"{waits}the default for tables that nobody read for long"
    assert _limit_line(table, {"limit": [], "view": []}) == of_long
    read = table | {"usage": {"unread": False}}
    assert _limit_line(read, {"limit": [], "view": []}) == f"{waits}the default"
    view = [{"tables": "*", "limit_s": 5.0}]
    assert _limit_line(table | {"way": "view"}, {"limit": rule, "view": view}) == (
        "  a read through its view may take 5 s longer, by [[view]] *"
    )


def test_a_column_without_a_name_is_told_in_words() -> None:
    told = "(unnamed) (row number)"
    assert str(UnmatchedColumn("", Why.ROW_NUMBER)) == told
    assert str(UnmatchedColumn("n", Why.CONSTANT, "int64", "1")) == "n = '1' (constant)"


def test_a_read_that_takes_no_longer_is_told_so() -> None:
    assert _seconds_line(0.0, True, {}) == "  and takes no longer than reading the table"
    assert _seconds_line(2.0, True, {}) == "  and takes 2 s more for each read at p95"
