"""The page in a real browser: Debian's Chromium, driven over its own protocol."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from r2d2.text_tables import printable
from r2d2.vmcost.report.html import page as html_of
from tests.support.vmcost.report_examples import HOSTILE, a_report, an_application, without_money

pytestmark = pytest.mark.browser

SIZES = "all => all.map(e => { const b = e.getBoundingClientRect(); return [b.width, b.height]; })"
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
VIOLATED = """markup => new Promise(done => {
  document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective));
  document.body.insertAdjacentHTML('beforeend', markup);
})"""


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
    """Opens a report's page as a file; keywords are the browser's."""
    pages = []

    def drawn(*applications: dict[str, Any], **options: Any) -> Drawn:
        path = tmp_path / "report.html"
        made = {"version": 1, "applications": list(applications)}
        path.write_text(html_of(made), encoding="utf-8")
        own = Drawn(browser.new_page(**options))
        pages.append(own.page)
        own.page.on("request", lambda request: own.asked.append(request.url))
        own.page.on("console", lambda message: own.said.append(message.text))
        own.page.on("pageerror", lambda error: own.said.append(str(error)))
        own.page.on("dialog", lambda dialog: (own.said.append(dialog.message), dialog.dismiss()))
        own.page.goto(path.as_uri())
        return own

    yield drawn
    for page in pages:
        page.close()


def test_the_pictures_shapes_have_a_size_and_lie_in_the_picture(
    draw: Callable[..., Drawn],
) -> None:
    page = draw(an_application(hosts=5)).page
    picture = page.locator(".timeline").bounding_box()
    assert picture is not None
    assert picture["width"] > 900
    for shape in (".rented", ".b", ".failed", ".jobs rect"):
        boxes = page.locator(f".timeline {shape}").all()
        assert boxes, shape
        for box in (each.bounding_box() for each in boxes):
            assert box is not None
            assert box["width"] > 0
            assert box["height"] > 2
            assert box["x"] >= picture["x"]
            assert box["x"] + box["width"] <= picture["x"] + picture["width"]


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_one_screen_says_cost_waste_and_what_to_do(
    draw: Callable[..., Drawn], width: int, height: int
) -> None:
    made = an_application(name="load")
    told = {"kind": "driver", "told": "a smaller VM", "saving_usd": 0.001, "basis": "at most"}
    made["what_to_do"] = [{**told, "saving_usd_per_month": 0.03, "name": "load"}]
    page = draw(made, viewport={"width": width, "height": height}).page
    heading = page.get_by_role("heading", name="What to do").bounding_box()
    assert heading is not None
    assert heading["y"] + heading["height"] + 60 < height
    names = page.locator(".tiles").first.locator(".name").all_inner_texts()
    assert {"cost", "waste"} <= set(names)
    lines = [box[1] for box in page.locator(".tiles").first.locator("b").evaluate_all(SIZES)]
    assert max(lines) == pytest.approx(min(lines))  # no figure is broken in two


def test_bars_laid_end_to_end_fill_their_width(draw: Callable[..., Drawn]) -> None:
    page = draw(an_application()).page
    for stack in page.locator(".stack").all():
        box = stack.bounding_box()
        assert box is not None
        widths = [width for width, _ in stack.locator("rect").evaluate_all(SIZES)]
        assert len(widths) > 1
        assert sum(widths) == pytest.approx(box["width"], abs=1)


def test_a_hostile_name_is_shown_as_text_and_runs_nothing(draw: Callable[..., Drawn]) -> None:
    drawn = draw(an_application(name=HOSTILE), without_money(name="<img src=x onerror=alert(2)>"))
    headings = drawn.page.locator("h2").all_inner_texts()
    assert headings == [printable(HOSTILE), "<img src=x onerror=alert(2)>"]
    assert drawn.page.evaluate("document.scripts.length + document.images.length") == 0
    assert drawn.said == []


def test_the_page_asks_for_nothing_but_itself(draw: Callable[..., Drawn]) -> None:
    drawn = draw(an_application(), without_money(), viewport={"width": 1200, "height": 800})
    drawn.page.wait_for_load_state("networkidle")
    assert drawn.asked == [drawn.page.url]
    assert drawn.said == []


@pytest.mark.parametrize(
    ("markup", "directive"),
    [
        ("<img src=http://127.0.0.1:9/leak>", "img-src"),
        ("<p style='color: red'>", "style-src-attr"),
        ("<b onclick=alert(3)>", "script-src-attr"),
        ("<iframe src=http://127.0.0.1:9/></iframe>", "frame-src"),
    ],
)
def test_markup_that_got_in_would_be_refused(
    draw: Callable[..., Drawn], markup: str, directive: str
) -> None:
    drawn = draw(an_application())
    assert drawn.page.evaluate(VIOLATED, markup) == directive


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(draw: Callable[..., Drawn], scheme: str) -> None:
    page = draw(an_application(), without_money(), color_scheme=scheme).page
    for part in ("h1", "h2", "th", "td", "a", ".soft", ".basis", ".note", "li", "summary"):
        assert page.locator(part).first.evaluate(CONTRAST) >= 4.5, part


@pytest.mark.parametrize("width", [390, 1200])
def test_a_page_never_scrolls_sideways(draw: Callable[..., Drawn], width: int) -> None:
    page = draw(
        an_application(name="x" * 300, hosts=40),
        without_money(),
        viewport={"width": width, "height": 800},
    ).page
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_names_of_many_hosts_do_not_overlap(draw: Callable[..., Drawn]) -> None:
    page = draw(an_application(hosts=300), viewport={"width": 1200, "height": 800}).page
    names = page.locator(".timeline g[shape-rendering] text")
    boxes = [box for box in (name.bounding_box() for name in names.all()) if box]
    assert len(boxes) == 150
    gaps = [low["y"] - high["y"] for high, low in itertools.pairwise(boxes)]
    assert min(gaps) >= 11


def test_tables_open_on_a_click_and_on_paper(draw: Callable[..., Drawn]) -> None:
    page = draw(an_application()).page
    stages = page.locator("summary", has_text="Stages")
    table = page.get_by_role("region", name="Stages").locator("table")
    assert not table.is_visible()
    stages.click()
    assert table.is_visible()
    stages.click()
    page.emulate_media(media="print")
    assert table.is_visible()


def test_a_picture_has_a_name_and_a_description(draw: Callable[..., Drawn]) -> None:
    page = draw(an_application(name="nightly")).page
    picture = page.get_by_role("img", name="Hosts over time: nightly 3 hosts, a lane each")
    assert picture.count() == 1


def test_the_index_leads_to_each_application(draw: Callable[..., Drawn]) -> None:
    drawn = draw(*a_report(8)["applications"])
    drawn.page.get_by_role("link", name="daily load 7").click()
    assert drawn.page.locator("section:target h2").inner_text() == "daily load 7"
    assert drawn.said == []
