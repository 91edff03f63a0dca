"""The notebook of the docs shows what its cells give, and is one that Jupyter opens."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tools.notebook import ran, text_of

NOTEBOOK = Path(__file__).parents[2] / "docs/sample_lake.ipynb"


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    return dict(json.loads(NOTEBOOK.read_text("utf-8")))


def timeless(notebook: dict[str, Any]) -> list[str]:
    """The notebook's lines without snapshots, which change with the times of files."""
    return re.sub(r"files:[0-9a-f]{16}", "files:", text_of(notebook)).splitlines()


@pytest.mark.slow
def test_cells_give_what_the_notebook_shows(notebook: dict[str, Any]) -> None:
    assert timeless(ran(notebook)) == timeless(notebook), (
        "run python -m tools.notebook docs/sample_lake.ipynb"
    )


def test_every_cell_has_what_version_four_of_the_format_asks_for(notebook: dict[str, Any]) -> None:
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"]) > 10
    for cell in notebook["cells"]:
        of_code = {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | of_code


def test_a_table_is_shown_as_a_table(notebook: dict[str, Any]) -> None:
    shown = [o for cell in notebook["cells"] for o in cell.get("outputs", ())]
    html = ["".join(o["data"]["text/html"]) for o in shown if "text/html" in o.get("data", {})]
    assert len(html) == 2
    assert all("<table>" in each for each in html)
