"""Takes the pictures of the tutorial: `python -m tools.pictures`, where Chromium is on the PATH.

They are of the page of the sample lake's run, as `r2d2 report` writes it. Take them anew when the
page looks otherwise: a test holds that they are there, not that they are up to date.
"""

import shutil
import sys
import tempfile
from contextlib import chdir
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from r2d2.cli import main as r2d2

REPOSITORY = Path(__file__).parents[1]
PICTURES = REPOSITORY / "docs" / "pictures"
PLACES = {
    "page": "",
    "plan": "#plan",
    "table": "#table=exports/planes_boeing.csv",
    "family": "#table=warehouse/flights",
}
"""The pictures, and the part of the page that each shows."""


def main() -> int:
    """Writes the pictures; 0."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no Chromium on the PATH")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = written(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport={"width": 1100, "height": 760})
        PICTURES.mkdir(exist_ok=True)
        for name, anchor in PLACES.items():
            page.goto(f"{page_file.as_uri()}{anchor}")
            shoot(page, name)
        browser.close()
    return 0


def written(folder: Path) -> Path:
    """The page of a run and a plan of the sample lake, as the tutorial makes them."""
    shutil.copytree(REPOSITORY / "sample_lake", folder / "sample_lake")
    page = folder / "page.html"
    with chdir(folder):  # so that the page's commands are those of the tutorial
        for command in (
            "find sample_lake --out run",
            "plan --run run --config sample_lake/plan.toml",
            "report run --out page.html",
        ):
            if r2d2([*command.split(), "-q"]):
                raise SystemExit(f"failed: r2d2 {command}")
    # The pictures do not tell where they were taken.
    text = page.read_text(encoding="utf-8").replace(f"{folder}/", "")
    page.write_text(text, encoding="utf-8")
    return page


def shoot(page: Page, name: str) -> None:
    """A picture of what the window shows, once it is drawn."""
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
