"""The program's benchmark runs, on small lakes."""

import pytest

from benchmarks.program import Case, solved


@pytest.mark.parametrize("lake", ["families", "scattered"])
@pytest.mark.parametrize("share", [1.0, 0.2])
def test_a_case_is_solved_and_checked(lake: str, share: float) -> None:
    told = solved(Case(lake, 60, 300, share, "highs"))
    assert told["status"] == "optimal"
