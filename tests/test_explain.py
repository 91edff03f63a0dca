"""Why one pair is an edge or is not."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.errors import UsageError
from r2d2.explain import Explanation, explain_pair
from r2d2.settings.find import Settings


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


def explain(
    lake: Path, child: str, parent: str, samples: int = 0, renamed: bool = False
) -> Explanation:
    settings = Settings(renamed=renamed)
    return explain_pair(str(lake), f"{child}.parquet", f"{parent}.parquet", settings, samples)


@pytest.mark.parametrize(
    ("child", "stage", "verdict", "reason"),
    [
        ("some", "exact", "proved", "2 of 2 distinct child rows found"),
        ("above", "metadata", "refuted", "bounds of x"),
        ("mixed", "sketch", "refuted", "a child row is missing"),
        ("text", "schema", "refuted", "types differ: x (string against int64)"),
        ("wide", "schema", "refuted", "the parent lacks the column w"),
        ("none", "schema", "proved", "listed apart"),
        ("bad", "tables", "not judged", "the child is left out"),
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
    assert explain(lake, "mixed", "all", samples=1).samples == ('x = 1, y = "b"',)
    assert len(explain(lake, "mixed", "all", samples=9).samples) == 2


def people(rows: range) -> dict[str, list[object]]:
    return {
        "id": list(rows),
        "name": [f"person {n * 7 % 1009}" for n in rows],
        "amount": [n * 13 % 997 / 8 for n in rows],
    }


def write_people(lake: Path, child: dict[str, list[object]], *names: str) -> None:
    pq.write_table(pa.table(people(range(200))), lake / "whole.parquet")
    pq.write_table(pa.table(dict(zip(names, child.values(), strict=True))), lake / "part.parquet")


def test_renamed_columns_are_told_and_the_pair_is_proved_under_them(lake: Path) -> None:
    write_people(lake, people(range(50, 110)), "u", "v", "amount")
    assert explain(lake, "part", "whole").evidence[-1].stage == "schema"
    first, *_, last = explain(lake, "part", "whole", renamed=True).evidence
    assert (first.stage, first.verdict.value) == ("renamed", "plausible")
    assert first.reason == "taken for the same columns: u = id, v = name"
    assert (last.stage, last.verdict.value) == ("exact", "proved")


def test_a_row_that_is_missing_under_renamed_columns_is_shown_by_the_childs_names(
    lake: Path,
) -> None:
    child = people(range(50, 110))
    child["amount"][7], child["amount"][8] = child["amount"][8], child["amount"][7]
    write_people(lake, child, "u", "v", "w")
    explained = explain(lake, "part", "whole", samples=9, renamed=True)
    assert explained.evidence[-1].verdict.value == "refuted"
    assert [sample[:6] for sample in explained.samples] == ["u = 57", "u = 58"]


def test_columns_that_hold_something_else_are_lacking_by_their_own_names(lake: Path) -> None:
    write_people(lake, people(range(500, 560)), "u", "v", "amount")
    last = explain(lake, "part", "whole", renamed=True).evidence[-1]
    assert (last.stage, last.reason) == ("schema", "the parent lacks the columns u, v")


def test_without_renamed_columns_the_same_stages_decide(lake: Path) -> None:
    first, *others = explain(lake, "some", "all", renamed=True).evidence
    assert first.reason == "no column is taken for one of another name"
    assert others == list(explain(lake, "some", "all").evidence)


def test_a_name_that_is_no_table_is_a_usage_error(lake: Path) -> None:
    with pytest.raises(UsageError, match=r"no table 'nothing\.parquet'"):
        explain(lake, "nothing", "all")
