"""The Hypothesis profile that all property tests share."""

from hypothesis import settings


def test_no_property_fails_for_being_slow() -> None:
    assert settings.default.deadline is None
    assert settings(max_examples=7).deadline is None
