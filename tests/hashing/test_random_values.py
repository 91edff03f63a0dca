"""Hashes are equal exactly where values are, over random types, layouts and nesting."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.formats.schema import logical_type
from r2d2.hashing.rows import type_tag
from r2d2.model import Types
from tests.support.hashing.canonical import canonical
from tests.support.hashing.hashing import hashes
from tests.support.hashing.random_types import arrays, twins


@pytest.mark.slow
@pytest.mark.parametrize("types", Types)
@settings(max_examples=300)
@given(data=st.data())
def test_hashes_are_equal_exactly_where_values_are(types: Types, data: st.DataObject) -> None:
    of_value, of_hash = {}, {}
    pair = data.draw(twins(types))
    names = [logical_type(type_) for type_ in pair]
    assert len({type_tag(name, types) for name in names}) == 1
    for type_, name in zip(pair, names, strict=True):
        values, array = data.draw(arrays(type_))
        for value, hash_ in zip(values, hashes(array, name, types), strict=True):
            meaning = canonical(value, type_)
            assert of_value.setdefault(meaning, hash_) == hash_, (value, meaning)
            assert of_hash.setdefault(hash_, meaning) == meaning, (value, meaning)
