"""Why one pair is an edge or is not."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.config import Settings
from r2d2.errors import UsageError
from r2d2.explain import Explanation, explain_pair


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    tables = {
        "all": {"x": [1, 2, 3, 9], "y": ["a", "b", "c", "z"]},
        "some": {"x": [1, 3], "Y": ["a", "c"]},
        "above": {"x": [1, 10], "y": ["a", "b"]},
        "mixed": {"x": [1, 2], "y": ["b", "a"]},
        "text": {"x": ["1"], "y": ["a"]},
        "wide": {"x": [1], "y": ["a"], "w": [0]},
        "none": {"x": pa.array([], pa.int64()), "y": pa.array([], pa.string())},
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"")
    return tmp_path


def explain(lake: Path, child: str, parent: str, samples: int = 0) -> Explanation:
    settings = Settings()
    return explain_pair(str(lake), f"{child}.parquet", f"{parent}.parquet", settings, samples)


@pytest.mark.parametrize(
    ("child", "stage", "verdict", "reason"),
    [
        ("some", "exact", "proved", "2 of 2 distinct child rows found"),
        ("above", "metadata", "refuted", "bounds of x"),
        ("mixed", "sketch", "refuted", "a child row is missing"),
        ("text", "schema", "refuted", "types differ: x (string against int64)"),
        ("wide", "schema", "refuted", "the parent lacks the columns w"),
        ("none", "schema", "proved", "listed apart"),
        ("bad", "tables", "refuted", "the child is left out"),
    ],
)
def test_the_deciding_stage_and_its_reason_are_told(
    lake: Path, child: str, stage: str, verdict: str, reason: str
) -> None:
    last = explain(lake, child, "all").evidence[-1]
    assert (last.stage, last.verdict.value) == (stage, verdict)
    assert reason in last.reason


def test_values_are_shown_only_when_asked_for(lake: Path) -> None:
    assert explain(lake, "mixed", "all").samples == ()
    assert explain(lake, "mixed", "all", samples=1).samples == ("{'x': 1, 'y': 'b'}",)
    assert len(explain(lake, "mixed", "all", samples=9).samples) == 2


def test_a_name_that_is_no_table_is_a_usage_error(lake: Path) -> None:
    with pytest.raises(UsageError, match=r"no table 'nothing\.parquet'"):
        explain(lake, "nothing", "all")
