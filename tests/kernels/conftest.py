"""The kernels' tests take the way of many values wherever it is meant for them."""

import pytest

from r2d2.kernels import text


@pytest.fixture(autouse=True, scope="session")
def polars_is_worth_it() -> None:
    """polars hashes from its least number of values on, however few were hashed before."""
    text._WORTHWHILE = 0
