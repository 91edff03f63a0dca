"""The page of a run: what it says, what it keeps to itself, and where it is written."""

import base64
import json
import os
import re
import shutil
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from r2d2.api import open_run
from r2d2.cli import main
from r2d2.errors import EXIT_OK, EXIT_SOME_UNREADABLE, EXIT_USAGE
from r2d2.page.families import families_of, totals, waste_of
from r2d2.page.html import is_page, page
from r2d2.page.packed import AS_ASKED
from r2d2.page.run_files import (
    PageEdge,
    PageGraph,
    PageTable,
    RunFiles,
    access_of,
    different,
    run_files,
)
from r2d2.plan.lake_now import applied_since
from r2d2.plan.plan_file import load_plan
from r2d2.recipes.words import recipe_words
from r2d2.text_tables import visible
from tests.support.page.generated_runs import a_run

LAKE = Path(__file__).parents[2] / "sample_lake"
VALUE = {"type": "string", "text": "s3cret"}
OUTPUTS = [{"name": "id", "from": ["id"]}]
ATOMS: list[dict[str, Any]] = [
    {"kind": "equals", "path": ["c"], "value": VALUE},
    {"kind": "in", "path": ["c"], "type": "string", "texts": ["s3cret", "t"]},
    {"kind": "not_in", "path": ["c"], "type": "string", "texts": ["s3cret"]},
    {"kind": "between", "path": ["c"], "low": VALUE, "high": VALUE, "of": "month"},
    {"kind": "at_least", "path": ["c"], "low": VALUE},
    {"kind": "any_of", "conjunctions": [[{"kind": "equals", "path": ["c"], "value": VALUE}], []]},
]


def packed_data(html: str) -> dict[str, Any]:
    """What the page's script draws from."""
    found = re.search(r'<script type="text/plain" id="data">([^<]*)</script>', html)
    assert found
    data: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(found[1])))
    return data


def graph_of(sizes: dict[str, int], pairs: list[tuple[str, str]], *equal: list[str]) -> PageGraph:
    """A graph of tables with these sizes, and edges from child to parent."""
    tables = [PageTable(name, "parquet", [], 1, size, 1, "s") for name, size in sizes.items()]
    edges = [PageEdge(a, b, 1.0, 0, (b, a) in pairs, "exact", {}, []) for a, b in pairs]
    return PageGraph(1, "lake", {}, tables, edges, list(equal))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of `find` and `plan` over the sample lake."""
    folder = tmp_path_factory.mktemp("page") / "run"
    assert main(["find", str(LAKE), "--out", str(folder)]) == EXIT_OK
    config = str(LAKE / "plan.toml")
    usage = str(LAKE / "_reads.csv")
    plan = ["plan", "--run", str(folder), "--config", config, "--usage", usage]
    assert main(plan) == EXIT_OK
    return folder


@pytest.mark.parametrize("atom", ATOMS, ids=lambda atom: str(atom["kind"]))
def test_a_predicate_tells_values_only_if_it_is_asked_to(atom: dict[str, Any]) -> None:
    recipe = {"kind": "select", "parent": "p", "columns": OUTPUTS, "where": [atom]}
    assert "s3cret" not in recipe_words(recipe)
    assert "s3cret" in recipe_words(recipe, show_values=True)


def test_a_constant_and_what_is_kept_aside_are_told_without_values() -> None:
    constant = [{"name": "load", "from": {"constant": {"type": "string", "text": "s3cret"}}}]
    kept = {"kept": "rows", "location": "residuals/x", "rows": 3, "size_bytes": 1200}
    inner = {"kind": "project", "parent": "p", "columns": OUTPUTS + constant}
    patch = {"kind": "patch", "recipe": inner, "plus": kept}
    told = "all rows of p, in 2 columns, of one value: load, 3 rows added from a file kept aside"
    assert recipe_words(patch).startswith(told)
    assert "load = 's3cret'" in recipe_words(patch, show_values=True)


def test_the_page_has_no_value_of_a_predicate_unless_asked() -> None:
    run = a_run()
    told = json.dumps(packed_data(page(run)))
    assert "secret" not in told
    assert "country = a value" in told
    assert "secret" in json.dumps(packed_data(page(run, show_values=True)))


def test_of_equal_tables_that_nothing_contains_one_is_no_waste() -> None:
    pairs = [("a", "b"), ("b", "a"), ("c", "a"), ("c", "b")]
    graph = graph_of({"a": 10, "b": 30, "c": 1}, pairs, ["a", "b"])
    families = families_of(graph)
    assert waste_of(graph, families).contained == {0, 1, 2}
    assert waste_of(graph, families).spare == {0, 2}
    assert waste_of(graph, families, deleted=[1]).spare == {1, 2}


def test_text_page_and_plan_count_the_tables_of_a_lake_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run, html = tmp_path / "lake", tmp_path / "run", tmp_path / "page.html"
    lake.mkdir()
    for name, rows in {"all": "1\n2\n", "copy": "1\n2\n", "some": "1\n"}.items():
        (lake / f"{name}.csv").write_text(f"x\n{rows}")
    (lake / "torn.parquet").write_bytes(b"PAR1")
    assert main(["find", str(lake), "--out", str(run)]) == EXIT_SOME_UNREADABLE
    plan = ["plan", "--run", str(run), "--report", str(html)]
    assert main(plan) == EXIT_SOME_UNREADABLE
    told = capsys.readouterr().out
    counted = "of 3 tables (1 more left out)"
    assert f"3 {counted} are contained in others" in told
    none = f"0 {counted} can be deleted: they stay, 16 B, for less than $0.001 a month"
    assert f"{none}\n" in told
    text = re.sub("<[^>]*>", "", html.read_text("utf-8"))
    assert f"3 {counted} are contained in others" in text
    assert f"{none}." in text
    assert f"page written to {html}: open it in a browser\n" in told
    assert counted.removeprefix("of ") in repr(open_run(run))


def test_the_page_begins_with_what_is_contained_where_and_what_to_do(run: Path) -> None:
    before = run_files(run)
    lead = re.search(r'<div class="lead">(.*?)</div>', page(before), re.S)
    assert lead
    text = " ".join(re.sub("<[^>]*>", "", lead[1]).split())
    assert "31 of 43 tables are contained in others: 3.4 MB of 5.9 MB." in text
    assert "3.3 MB could go; the folder with the most of that is revenue, with 1.7 MB." in text
    assert f"r2d2 check {run}/plan.json" in text
    assert f"<code>r2d2 plan --run {run}</code>" in page(replace(before, plan=None))


def test_a_run_of_another_lake_is_beside_this_one_without_what_came_and_went() -> None:
    run = RunFiles("run", graph_of({"a": 1, "b": 2}, [("a", "b")]))
    other = replace(run, name="other", graph=PageGraph(1, "elsewhere", {}, [], []))
    text = re.sub("<[^>]*>", " ", page(run, [other]))
    assert "of another lake: elsewhere" in text
    assert "Since other" not in text
    assert "Since before: 0 tables came, 0 went" in page(run, [other, replace(run, name="before")])


def test_a_table_without_rows_is_on_the_page_with_what_that_means(run: Path) -> None:
    text = re.sub("<[^>]*>", "", page(run_files(run)))
    assert "Tables without rows or columns" in text
    assert "the 15 containments that follow from this count nowhere on this page" in text
    assert "ops/diversions.parquet: contained in 15 tables" in text


def test_an_empty_lake_has_a_page_that_says_so() -> None:
    empty = RunFiles("run", PageGraph(1, "/lake", {}, [], []))
    assert "No table could be compared: the lake has no file that is named as data" in page(empty)


def test_names_that_look_alike_are_told_apart_on_the_page() -> None:
    names = ["a b", "a  b", " a b", "a b ", "a\tb", r"a\tb", "a\u200fb", r"a\u200fb", "a\xa0b"]
    graph = graph_of(dict.fromkeys([f"{name}/x" for name in names], 1), [(" a b/x", "a b/x")])
    shared, rests = packed_data(page(RunFiles("run", graph)))["names"]
    shown: list[str] = []
    for length, rest in zip(shared, rests, strict=True):
        shown.append((shown[-1][:length] if shown else "") + rest)
    assert shown == [visible(f"{name}/x") for name in names]
    assert len({" ".join(name.split()) for name in shown}) == len(names)


def test_totals_are_of_each_folder_the_largest_waste_first() -> None:
    graph = graph_of({"x/a": 10, "y/b": 90, "y/c": 7}, [("x/a", "y/b")])
    waste = waste_of(graph, families_of(graph))
    told = totals(graph, waste, [("x",), ("y",), ("y",)], {})
    assert [(t.name, t.tables, t.spare_bytes, t.size_bytes) for t in told] == [
        ("x", 1, 10, 10),
        ("y", 2, 0, 97),
    ]


def test_a_run_of_the_sample_lake_is_told_as_in_the_terminal(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(run)]) == EXIT_OK
    told = f"page written to {run / 'report.html'}: open it in a browser\n"
    assert capsys.readouterr().out == told
    html = (run / "report.html").read_text("utf-8")
    tiles = re.findall(r'<span class="name">([^<]*)</span><b>([^<]*)', html)
    assert dict(tiles) | {"contained in others": "31"} == dict(tiles)
    counts_with = {
        **{"storage": "$21,400", "a scan for maintenance": "$0.00455"},
        **{"reading from the store": "$0.0000477", "writing to the store": "$0.000596"},
        **{"reads that are not known": "1", "least saving of a deletion": "$0.00"},
    }
    assert dict(tiles) | counts_with == dict(tiles)
    plan = json.loads((run / "plan.json").read_text("utf-8"))
    deleted = [entry["table"] for entry in plan["tables"] if entry["choice"] == "delete"]
    data = packed_data(html)
    assert len(data["plan"]["deleted"]) == len(deleted) == 18
    assert main(["report", str(run)]) == EXIT_OK, "a page takes the place of a page"


def test_a_page_of_a_sample_says_so_and_counts_what_was_left_out_by_reason(
    tmp_path: Path,
) -> None:
    place = tmp_path / "part.html"
    find = ["find", str(LAKE), "--sample", "5", "--exclude", "ops", "--report", str(place)]
    assert main(find) == EXIT_OK
    html = place.read_text("utf-8")
    (note,) = re.findall(r'<p class="note">(A look at .*?)</p>', html)
    assert note.startswith("A look at 5 of ")
    assert re.search(r"\d+ excluded by &#39;ops&#39;, \d+ not in the sample of 5 tables\.", note)
    assert '<b>0</b><span class="basis">0 more refused</span>' in html
    assert "<td>refused</td>" not in html
    assert re.search(r"<li>\d+ tables: not in the sample of 5 tables</li>", html)
    flags = packed_data(html)["tables"]["flags"]
    assert sum(not flag & AS_ASKED for flag in flags) == 5


def test_broken_files_of_one_reason_are_one_line_and_named_once() -> None:
    made = a_run()
    assert made.plan
    broken = [table for table in made.graph.tables if table.unreadable]
    reason = {table.location: f"it cannot be judged: {table.problem}" for table in broken}
    entries = [e | {"reason": reason.get(e["table"], e["reason"])} for e in made.plan["tables"]]
    html = page(replace(made, plan=made.plan | {"tables": entries}))
    assert html.count(">it cannot be judged: a page is damaged</a>") == 1
    assert html.count('<td class="name">a page is damaged</td>') == len(broken) == 3


def test_find_and_plan_write_the_page_at_once(run: Path, tmp_path: Path) -> None:
    assert main(["find", str(LAKE), "--report", str(tmp_path / "find.html")]) == EXIT_OK
    what_if = ["plan", "--run", str(run), "--protect", "revenue/*"]
    assert main([*what_if, "--report", str(tmp_path / "plan.html")]) == EXIT_OK
    found, planned = (
        packed_data((tmp_path / f"{name}.html").read_text("utf-8")) for name in ("find", "plan")
    )
    assert found["plan"] is None
    assert found["edges"] == planned["edges"]
    assert 0 < len(planned["plan"]["deleted"]) < 18


def test_a_file_that_is_no_page_is_left_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.html").write_text("<title>mine</title>")
    assert main(["report", str(run), "--out", str(tmp_path / "notes.html")]) == EXIT_USAGE
    assert "is no page of r2d2's" in capsys.readouterr().err
    assert main(["report", str(tmp_path)]) == EXIT_USAGE
    assert "graph.json" in capsys.readouterr().err


def test_an_earlier_plan_stands_beside_this_one(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert main(["find", str(LAKE), "--out", str(folder)]) == EXIT_OK
    for config in ([], ["--config", str(LAKE / "plan.toml")]):
        assert main(["plan", "--run", str(folder), *config]) == EXIT_OK
    assert main(["report", str(folder)]) == EXIT_OK
    html = (folder / "report.html").read_text("utf-8")
    beside = html[html.index('id="earlier"') :]
    assert "this one" in beside
    assert "The plan&#39;s settings differ: plan, prices, protect." in beside
    assert re.search(r"0 tables came, 0 went, 0 have other files", beside)
    assert str(next((folder / "earlier").iterdir())) in beside


def test_teams_readers_and_folders_in_few_top_folders_have_totals_of_their_own() -> None:
    names = [f"{top}/{team}/{n}" for top in ("csv", "parquet") for team in "abc" for n in range(9)]
    run = a_run(edges=60, names=names)
    assert run.plan
    for entry in run.plan["tables"]:
        entry["tenant"] = "billing" if "/a/" in entry["table"] else None
    html = page(run)
    heads = re.findall(r"<h3>By ([^<]*)</h3>", html)
    assert heads == ["top folder", "folder in a top folder", "team", "reader"]
    for link in ("folder=csv", "folder=csv%2Fa", "team=billing", "reader=dashboard"):
        assert f'href="#{link}' in html
    assert "By folder in a top folder" not in page(a_run(500, 900))


def test_the_same_run_gives_the_same_page() -> None:
    assert page(a_run()) == page(a_run())
    assert is_page(page(a_run()).encode())


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_equal_tables_that_not_the_same_people_may_read_are_told(tmp_path: Path) -> None:
    for name, mode in (("a", 0o644), ("b", 0o640), ("c", 0o644)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    access = access_of(str(tmp_path), ["a", "b", "c", "gone"])
    assert different([["a", "b"], ["a", "c"], ["a", "gone"]], access) == [["a", "b"]]
    assert access["a"].readers == ("everyone",)
    assert access_of("s3://bucket/lake", ["a"]) == {}
    run = RunFiles("", graph_of({"a": 1, "b": 1}, [("a", "b"), ("b", "a")], ["a", "b"]))
    assert "Equal, but not read by the same people" in page(run, (), access)
    assert "Equal, but not read by the same people" not in page(run)


def test_folders_beyond_the_first_can_be_looked_at_and_so_can_what_no_plan_may_delete() -> None:
    names = [f"f{n}/{name}" for n in range(20) for name in "ab"]
    pairs = [(f"f{n}/a", f"f{n}/b") for n in range(20)]
    made = graph_of(dict.fromkeys(names, 1000), pairs)
    made.tables[0].must_keep = "it may be a part of f0"
    html = page(RunFiles("run", made))
    rest = html.partition("<summary>5 more with less</summary>")[2].partition("</details>")[0]
    assert rest.count('<a href="#folder=f') == 5
    assert 'no plan may delete 1 table, 1.0 kB: <a href="#which=must-stay">' in html
    assert '<option value="must-stay">' in html


def test_what_was_applied_is_read_from_the_journal_of_a_lake_in_a_folder(tmp_path: Path) -> None:
    copy, run = tmp_path / "lake", tmp_path / "run"
    shutil.copytree(LAKE, copy)
    config = ["--config", str(copy / "plan.toml")]
    assert main(["find", str(copy), "--out", str(run), "-q"]) == EXIT_OK
    assert main(["plan", "--run", str(run), *config, "-q"]) == EXIT_OK
    plan = load_plan(run / "plan.json")
    assert applied_since(plan) == ""
    assert main(["approve", str(run / "plan.json"), "-q"]) == EXIT_OK
    applied = ["apply", str(run / "plan.json"), "--yes", "--no-catalogue", "-q"]
    assert main(applied) == EXIT_OK
    count = plan["totals"]["deleted"]
    told = f"of the {count} tables that it deletes, {count} tombstoned by now"
    assert told in applied_since(plan)


def test_a_plan_that_was_applied_is_told_as_that() -> None:
    made = replace(a_run(), applied="this plan was applied: 3 of its tables are tombstoned")
    html = page(made)
    assert "<b>Since then</b> this plan was applied" in html
    assert "Nothing is deleted yet" not in html
    assert "Nothing is deleted yet" in page(a_run())


def test_tables_that_came_and_went_since_a_run_are_named() -> None:
    run = RunFiles("run", graph_of({"a": 1, "b": 2}, [("a", "b")]))
    old = replace(run, name="old", graph=graph_of({"a": 1, "c": 2, "d": 3}, [("a", "c")]))
    text = re.sub("<[^>]*>", "", page(run, [old]))
    assert "Since old: 1 table came, 2 went, 0 have other files." in text
    assert "Came: b." in text
    assert "Went: c, d." in text
