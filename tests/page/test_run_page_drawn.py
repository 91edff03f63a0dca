"""The page of a run in a real browser: the distribution's Chromium, driven by Playwright."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from r2d2.page.html import page as html_of
from r2d2.page.run_files import RunFiles
from r2d2.text_tables import human_bytes
from tests.support.page.generated_runs import a_run

pytestmark = pytest.mark.browser

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


def test_a_link_shows_its_table_and_the_lines_of_its_family(draw: Callable[..., Drawn]) -> None:
    run = a_run()
    edge = run.graph.edges[0]
    page = draw(run, f"#table={quote(edge.child, safe='')}").page
    assert page.locator("#table-head").inner_text() == edge.child
    assert page.locator(".graph .chosen").count() == 1
    assert page.locator(".graph .edge").count() > 0


def test_bytes_are_told_as_in_the_text(draw: Callable[..., Drawn]) -> None:
    random_ = random.Random(3)
    sizes = [0, 1, 999, 1000, 1250, 1750, 1350, 999_949, 999_950, 2**40, 10**15]
    sizes += [random_.randrange(10 ** random_.randrange(1, 14)) for _ in range(2000)]
    page = draw(a_run()).page
    assert page.evaluate("sizes => sizes.map(humanBytes)", sizes) == list(map(human_bytes, sizes))
