"""The page of a run in a real browser: the distribution's Chromium, driven by Playwright."""

import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from r2d2.page.html import page as html_of
from r2d2.page.run_files import PageEdge, PageGraph, PageTable, RunFiles
from r2d2.text_tables import human_bytes, visible
from tests.support.page.generated_runs import a_run

pytestmark = pytest.mark.browser

AXE = "axe-core@4.14.1"
NPM = shutil.which("npm")
AXE_LOOKS = ({}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}})
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "\"'><svg onload=alert(3)>",
    "{{ 7 * 7 }}{% raw %}",
    "</script><script>alert(4)</script>",
    "</style><style>body{display:none}",
    "javascript:alert(5)",
    "\u202egpj.exe",
    "\x1b[31mred\x07",
    "a\nb\tc\r",
    "\u2028line",
    "=cmd|' /C calc'!A0",
    "&lt;b&gt;&#x3c;",
    "%3Cscript%3E%00",
    "#table=other",
    "\udcff\udc80",
    "__proto__",
    "constructor",
    "e\u0301\u0301\u0301" * 20,
    "x" * 2000,
    "𝒳🏴‍☠️",
    "שלום/مرحبا",
    "$(rm -rf ~) `id` 'quoted'",
    "..\\..\\con",
    " ",
]
# WCAG 2.2's contrast ratio of an element's text and the nearest background behind it.
CONTRAST = """e => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  let behind = e;
  while (parts(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const light = text => parts(text).slice(0, 3)
    .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0.05);
  const both = [getComputedStyle(e).color, getComputedStyle(behind).backgroundColor].map(light);
  return Math.max(...both) / Math.min(...both);
}"""
VIOLATED = """() => new Promise(done => {
  document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective));
  setTimeout(() => done('nothing'), 5000);
  try { MAKE } catch { /* what was refused is told by the event */ }
})"""
FIRST_PAINT = """() => performance.getEntriesByName('first-contentful-paint')[0].startTime"""


@dataclass
class Drawn:
    """A page and everything it did besides being drawn."""

    page: Page
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield chromium
        chromium.close()


@pytest.fixture
def draw(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Drawn]]:
    """Opens a run's page as a file, at a fragment; keywords are the browser's."""
    pages = []

    def drawn(run: RunFiles, fragment: str = "", **options: Any) -> Drawn:
        path = tmp_path / "page.html"
        path.write_text(html_of(run), encoding="utf-8")
        own = Drawn(browser.new_page(**options))
        pages.append(own.page)
        own.page.on("request", lambda request: own.asked.append(request.url))
        own.page.on("console", lambda message: own.said.append(message.text))
        own.page.on("pageerror", lambda error: own.said.append(str(error)))
        own.page.on("dialog", lambda dialog: (own.said.append(dialog.message), dialog.dismiss()))
        own.page.goto(path.as_uri() + fragment)
        own.page.wait_for_selector("html[data-ready]")
        return own

    yield drawn
    for page in pages:
        page.close()


def named(run: RunFiles, at: int = 0) -> str:
    """The fragment of a child's table."""
    return f"#table={quote(visible(run.graph.edges[at].child), safe='')}"


@pytest.mark.parametrize(("tables", "edges"), [(43, 69), (500, 2_000), (5_000, 50_000)])
def test_a_page_of_any_size_is_small_soon_there_and_asks_for_nothing(
    draw: Callable[..., Drawn], tables: int, edges: int
) -> None:
    run = a_run(tables, edges)
    assert len(html_of(run).encode()) <= 1_500_000
    drawn = draw(run)
    assert drawn.page.evaluate(FIRST_PAINT) <= 2_000
    assert drawn.asked == [drawn.page.url]
    assert drawn.said == []
    assert f"{tables:,} tables" in drawn.page.locator("#count").inner_text()


def test_a_page_of_ten_thousand_tables_is_small_too() -> None:
    assert len(html_of(a_run(10_000, 50_000)).encode()) <= 1_500_000


def test_a_link_shows_its_table_and_the_lines_of_its_family(draw: Callable[..., Drawn]) -> None:
    run = a_run()
    page = draw(run, named(run)).page
    assert page.locator("#table-head").inner_text() == run.graph.edges[0].child
    assert page.locator(".graph .chosen").count() == 1
    assert page.locator(".graph .edge").count() > 0
    assert page.evaluate("document.activeElement.id") == "table-head"


def test_what_is_contained_in_part_is_told_apart_and_drawn_dashed(
    draw: Callable[..., Drawn],
) -> None:
    run = a_run(20, 12)
    edge = run.graph.edges[0]
    edge.missing_rows, edge.fraction = 3, 0.995
    page = draw(run, named(run)).page
    assert page.locator("dt", has_text="Contained in, in part").count() == 1
    assert page.locator(".graph .edge.part").count() == 1
    page.locator("#about summary").click()
    told = page.get_by_role("region", name="Why each line holds").inner_text()
    assert "partly in" in told
    assert "3 rows lacking, 0.9950 contained" in told


def test_a_link_to_a_table_that_is_not_there_says_so(draw: Callable[..., Drawn]) -> None:
    drawn = draw(a_run(), "#table=no/such%20table")
    assert "No such table" in drawn.page.locator("#table").inner_text()
    assert "no/such table" in drawn.page.locator("#table").inner_text()
    assert draw(a_run(), "#table=%E0%A4%A").said == []


def test_bytes_are_told_as_in_the_text(draw: Callable[..., Drawn]) -> None:
    random_ = random.Random(3)
    sizes = [0, 1, 999, 1000, 1250, 1750, 1350, 999_949, 999_950, 2**40, 10**15]
    sizes += [random_.randrange(10 ** random_.randrange(1, 17)) for _ in range(3000)]
    page = draw(a_run()).page
    assert page.evaluate("sizes => sizes.map(humanBytes)", sizes) == list(map(human_bytes, sizes))


def test_a_lake_without_edges_or_without_tables_has_its_page(draw: Callable[..., Drawn]) -> None:
    for tables in (10, 0):
        drawn = draw(a_run(tables, 0, unreadable=0))
        assert drawn.page.locator("#family-list").inner_text().endswith("None.")
        assert drawn.page.locator("#count").inner_text().startswith(f"{tables} tables, ")
        assert drawn.said == []


def test_two_hundred_hostile_names_are_shown_as_text(draw: Callable[..., Drawn]) -> None:
    names = [f"lake{n}/{HOSTILE[n % len(HOSTILE)]}{n}" for n in range(200)]
    run = a_run(edges=400, names=names)
    drawn = draw(run)
    page = drawn.page
    while page.locator("#more").is_visible():
        page.locator("#more").click()
    shown = page.locator("#list tbody th").all_inner_texts()
    assert sorted(shown) == sorted(visible(name) for name in names)
    for at in range(0, len(run.graph.edges), 40):
        page.evaluate("hash => { location.hash = hash; }", named(run, at))
        head = visible(run.graph.edges[at].child)
        expect(page.locator("#table-head")).to_have_text(head)
    assert page.evaluate("document.scripts.length") == 2
    assert page.evaluate("document.images.length") == 0
    assert drawn.said == []
    assert len(drawn.asked) == 1


@pytest.mark.parametrize(
    ("make", "refused"),
    [
        ("const i = new Image(); i.src = 'http://127.0.0.1:9/leak';", "img-src"),
        ("fetch('http://127.0.0.1:9/leak').catch(() => {});", "connect-src"),
        ("document.body.innerHTML = '<p>';", "require-trusted-types-for"),
        ("document.body.setAttribute('style', 'color: red');", "style-src-attr"),
        (
            "const s = document.createElement('iframe'); s.src = 'http://127.0.0.1:9/';"
            "document.body.append(s);",
            "frame-src",
        ),
    ],
)
def test_what_markup_that_got_in_would_do_is_refused(
    draw: Callable[..., Drawn], make: str, refused: str
) -> None:
    drawn = draw(a_run())
    assert drawn.page.evaluate(VIOLATED.replace("MAKE", make)) == refused


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_of_a_run_is_readable_in_light_and_dark(
    draw: Callable[..., Drawn], scheme: str
) -> None:
    run = a_run()
    page = draw(run, named(run), color_scheme=scheme).page
    parts = ("h1", "h2", "th", "td", "a", ".soft", ".basis", "li", "dt", "dd", "code", ".delete")
    for part in (*parts, "summary", "select", "th button", "#query"):
        assert page.locator(part).first.evaluate(CONTRAST) >= 4.5, part


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_the_page_of_a_run_never_scrolls_sideways(draw: Callable[..., Drawn], width: int) -> None:
    run = a_run(edges=40, names=[f"{'y' * 150}/{n}/{'x' * 150}" for n in range(40)])
    page = draw(run, named(run), viewport={"width": width, "height": 800}).page
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_list_is_searched_sorted_and_narrowed_by_keyboard(draw: Callable[..., Drawn]) -> None:
    run = a_run(500, 2_000)
    page = draw(run).page
    page.locator("#query").focus()
    page.keyboard.type("orders")
    orders = [table for table in run.graph.tables if "orders" in table.location]
    assert page.locator("#count").inner_text().startswith(f"{len(orders)} tables")
    page.get_by_role("button", name="size", exact=True).focus()
    page.keyboard.press("Enter")
    largest = max(orders, key=lambda table: table.size_bytes)
    assert page.locator("#list tbody th").first.inner_text() == largest.location
    assert page.locator("#list [aria-sort]").get_attribute("aria-sort") == "descending"
    page.locator("#list tbody a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#table-head")).to_be_focused()
    assert page.locator("#table-head").inner_text() == largest.location


def test_a_folder_and_a_reason_lead_to_their_tables(draw: Callable[..., Drawn]) -> None:
    run = a_run(500, 2_000)
    page = draw(run).page
    folder = page.locator("#waste tbody a").first
    name = folder.inner_text()
    folder.click()
    inside = sum(table.location.startswith(f"{name}/") for table in run.graph.tables)
    expect(page.locator("#clear")).to_contain_text("folder")
    assert page.locator("#count").inner_text().startswith(f"{inside} tables")
    page.locator("#plan tbody a").first.click()
    expect(page.locator("#clear")).to_contain_text("reason")
    assert run.plan
    kept = sum(entry["choice"] == "keep" for entry in run.plan["tables"])
    assert page.locator("#count").inner_text().startswith(f"{kept} tables")


def test_what_no_plan_may_delete_is_listed_and_nothing_else(draw: Callable[..., Drawn]) -> None:
    run = a_run(43, 200, planned=False)
    some = next(t for t in run.graph.tables if t.location == run.graph.edges[0].child)
    some.must_keep = "it may be a part of another"
    page = draw(run).page
    page.locator("a[href='#which=must-stay']").click()
    assert page.locator("#count").inner_text().startswith("1 table,")


def test_all_that_a_table_contains_is_listed(draw: Callable[..., Drawn]) -> None:
    run = a_run(43, 200)
    number = {table.location: n for n, table in enumerate(run.graph.tables)}
    children: dict[str, set[str]] = {}
    for edge in run.graph.edges:
        children.setdefault(edge.parent, set()).add(edge.child)
    name = max(children, key=lambda each: (len(children[each]), number[each]))
    inside, todo = {name}, [name]
    while todo:
        more = children.get(todo.pop(), set()) - inside
        inside |= more
        todo += more
    page = draw(run, f"#inside={quote(name, safe='')}").page
    assert page.locator("#count").inner_text().startswith(f"{len(inside) - 1} tables")


def equal_copies() -> RunFiles:
    """A run of a table in a folder of a long name, its copy, a part of both, and one at the top."""
    names = ["revenues_of_all/backup/flights", "revenues_of_all/flights", "x/part", "z.csv"]
    tables = [PageTable(name, "parquet", [], 9, 429_300, 1, "s") for name in names]
    one, two, part, top = names
    pairs = [(one, two), (two, one), (part, one), (part, two), (top, one), (top, two)]
    edges = [
        PageEdge(a, b, 1.0, 0, (b, a) in pairs, "exact", {}, [("exact", "proved", "all rows")])
        for a, b in pairs
    ]
    return RunFiles("run", PageGraph(1, "/lake", {}, tables, edges, [[one, two]]))


def test_the_list_of_what_a_table_contains_has_as_many_as_its_facts_say(
    draw: Callable[..., Drawn],
) -> None:
    run = equal_copies()
    parent = f"={quote(run.graph.tables[0].location, safe='')}"
    page = draw(run, f"#table{parent}").page
    expect(page.locator("#about dl")).to_contain_text(
        "3 tables in all, counting equal ones; list all"
    )
    page.get_by_role("link", name="list all").click()
    expect(page.locator("#count")).to_contain_text("3 tables")


def test_labels_of_the_graph_stay_in_their_boxes(draw: Callable[..., Drawn]) -> None:
    run = equal_copies()
    known = a_run(8, 4)
    assert known.plan
    told = known.plan["tables"]
    one, other = (next(e for e in told if e["choice"] == choice) for choice in ("delete", "keep"))
    places = [table.location for table in run.graph.tables]
    entries = [{**one, "table": place, "parents": [places[-1]]} for place in places[:2]]
    entries += [{**other, "table": place} for place in places[2:]]
    plan = {**known.plan, "tables": entries}
    page = draw(replace(run, plan=plan), f"#table={quote(places[0], safe='')}").page
    labels = page.locator("#about svg.graph .small")
    assert "429.3 kB · +1 equal · delete 2" in labels.all_text_contents()
    widths = labels.evaluate_all("all => all.map(one => one.getComputedTextLength())")
    assert max(widths) <= 220


def test_tables_that_lie_in_no_folder_are_of_the_lake_itself(draw: Callable[..., Drawn]) -> None:
    page = draw(equal_copies()).page
    page.get_by_role("link", name="(the lake's top folder)").first.click()
    expect(page.locator("#clear")).to_contain_text("folder: (the lake's top folder)")
    expect(page.locator("#count")).to_contain_text("1 table,")


def test_the_page_of_a_run_has_its_tables_and_figures_on_paper(draw: Callable[..., Drawn]) -> None:
    run = a_run()
    page = draw(run, named(run)).page
    page.emulate_media(media="print")
    assert not page.locator("#search").is_visible()
    assert page.get_by_role("region", name="Why each line holds").locator("table").is_visible()


def test_all_tables_are_printed_and_of_very_many_it_is_told_how_many_are(
    draw: Callable[..., Drawn],
) -> None:
    told = "addEventListener('beforeprint', () => { window.told = [...document.querySelectorAll("
    told += "'#list tbody tr, #on-paper')].map(each => each.textContent); })"
    for count, on_paper in ((150, ""), (600, "The first 500 of 600.")):
        names = [f"table{number:03d}" for number in range(count)]
        tables = [PageTable(name, "parquet", [], 9, 1000, 1, "s") for name in names]
        page = draw(RunFiles("run", PageGraph(1, "/lake", {}, tables, []))).page
        page.evaluate(told)
        shown = page.locator("#list tbody tr").count()
        page.pdf()
        *rows, last = page.evaluate("window.told")
        assert (len(rows), last) == (min(count, 500), on_paper)
        expect(page.locator("#list tbody tr")).to_have_count(shown)


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core's script, fetched by npm; skips where npm cannot."""
    folder = tmp_path_factory.mktemp("axe")
    command = [str(NPM), "pack", AXE, "--prefer-offline", "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, cwd=folder, timeout=120, check=False)
    if done.returncode:
        pytest.skip("npm cannot fetch axe-core")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script
        return script.read().decode()


if NPM:  # where it is not, axe-core cannot be fetched

    @pytest.mark.parametrize("options", AXE_LOOKS)
    def test_axe_finds_nothing_serious(
        draw: Callable[..., Drawn], axe: str, options: dict[str, Any]
    ) -> None:
        run = a_run()
        page = draw(run, named(run), **options).page
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        page.evaluate(axe)
        found = page.evaluate("axe.run(document).then(done => done.violations)")
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
