"""Copies, projections and filtered tables need no residual; samples need their hashes."""

from collections import Counter

import pytest

from tests.support.recipes.dev_lake_kinds import WITHOUT_FILES, by_operation

pytestmark = pytest.mark.shared
NAMED = ("filter", "project", "copy", "split_by_value", "only_null_rows")


@pytest.mark.parametrize("anywhere", [False, True], ids=["from its base", "from any table"])
@pytest.mark.parametrize(("suffix", "least"), [("parquet", 1.0), ("csv", 0.95)])
def test_what_was_filtered_or_projected_is_rebuilt_by_a_predicate(
    suffix: str, least: float, anywhere: bool
) -> None:
    # Numbers are text in CSV, and a range of numbers is no range of texts.
    counts = by_operation(suffix, anywhere)
    named: Counter[str] = sum(
        (found for operation, found in counts.items() if operation.startswith(NAMED)), Counter()
    )
    assert named.total() == 132
    assert sum(named[kind] for kind in WITHOUT_FILES) >= least * named.total()
    assert set(named) <= WITHOUT_FILES | {"rows"}
    # Of a sample of nine tenths it is shorter to list the others.
    assert counts["sample"] == Counter(rows=24, patch=8)
