"""The program's benchmark runs, on small lakes."""

import re

import pytest

from benchmarks import lake_model
from benchmarks.program import Case, solved
from tests.test_readme import REPOSITORY


@pytest.mark.parametrize("lake", ["families", "views", "scattered"])
@pytest.mark.parametrize("share", [1.0, 0.2])
def test_a_case_is_solved_and_checked(lake: str, share: float) -> None:
    told = solved(Case(lake, 60, 300, share, "highs"))
    assert told["status"] == "optimal"


def test_a_modelled_lake_is_planned_four_ways_and_no_plan_goes_below_its_minimum(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lake_model.main(["--tables", "300", "--terabytes", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("300 tables, 20.0 TB")
    (small,) = (line for line in lines if "save $0.00 to $1.00" in line)
    assert [cell.strip() for cell in small.strip("| ").split("|")][2:] == ["0", "0", "0"]
    (deleted,) = (line for line in lines if line.startswith("| deleted"))
    assert int(deleted.split("|")[4].replace(",", "")) > 0


@pytest.mark.slow
def test_the_docs_show_what_the_modelled_lake_prints(capsys: pytest.CaptureFixture[str]) -> None:
    text = (REPOSITORY / "docs" / "plan.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- the modelled lake: .+ -->\n((?:\|.*\n)+)", text)
    assert lake_model.main([]) == 0
    printed = [row(line) for line in capsys.readouterr().out.splitlines() if "|" in line]
    documented = [row(line) for line in shown.splitlines() if "---" not in line]
    assert len(documented) == 8
    assert [line for line in documented if line not in printed] == []


def row(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
