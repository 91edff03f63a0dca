"""The kernels' tests take the way of many values wherever it is meant for them."""

from collections.abc import Iterator

import pytest

from r2d2.hashing import values as text


@pytest.fixture(autouse=True, scope="module")
def polars_is_worth_it() -> Iterator[None]:
    """polars hashes from its least number of values on, however few were hashed before."""
    before, text._POLARS_VALUES = text._POLARS_VALUES, 0
    yield
    text._POLARS_VALUES = before
