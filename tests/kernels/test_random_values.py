"""Hashes are equal exactly where values are, over random types, layouts and nesting."""

import pytest
from canonical import canonical
from hashing import hashes
from hypothesis import given, settings
from hypothesis import strategies as st
from random_types import arrays, twins

from r2d2.kernels.typetag import type_tag
from r2d2.lake.schema import logical_type
from r2d2.model import Types


@pytest.mark.slow
@pytest.mark.parametrize("types", Types)
@settings(max_examples=300, deadline=None)
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
