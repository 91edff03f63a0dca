"""Copies, projections and filtered tables need no residual; samples need their hashes."""

import pytest

from tests.support.recipes.dev_lake_kinds import by_operation, check_kinds


@pytest.mark.shared
@pytest.mark.parametrize(("suffix", "least"), [("parquet", 1.0), ("csv", 0.95)])
def test_what_was_filtered_or_projected_is_rebuilt_from_its_base_by_a_predicate(
    suffix: str, least: float
) -> None:
    # Numbers are text in CSV, and a range of numbers is no range of texts.
    check_kinds(by_operation(suffix), least)
