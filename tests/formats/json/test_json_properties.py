"""Random JSON comes back as the texts that a plain reading of it gives."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from r2d2.formats.json.read import rows

KEYS = st.text(st.sampled_from('ab.`é"\\'), max_size=3)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


def expected(value: dict[str, Any], prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """The object's texts by path: scalars as JSON writes them, the rest as sorted compact JSON."""
    found: dict[tuple[str, ...], Any] = {}
    for key, inner in value.items():
        path = (*prefix, key)
        if isinstance(inner, dict) and inner:
            found |= expected(inner, path)
        elif inner is not None:
            is_text = isinstance(inner, str)
            found[path] = (
                inner
                if is_text
                else json.dumps(inner, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            )
    return found


def shown(path: tuple[str, ...]) -> str:
    parts = (f"`{p.replace('`', '``')}`" if "." in p or "`" in p else p for p in path)
    return ".".join(parts)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(OBJECTS, min_size=1, max_size=6),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_random_objects_come_back_as_their_texts(lake, objects, ascii_only, as_array, indent):
    objects = [{"id": str(number)} | each for number, each in enumerate(objects)]
    if as_array:
        content = json.dumps(objects, ensure_ascii=ascii_only, indent=indent)
    else:
        content = "\n".join(json.dumps(each, ensure_ascii=ascii_only) for each in objects)
    table = lake.table("a.json", content)
    names = [column.name for column in table.columns]
    rows = [
        {name: text for name, text in zip(names, row, strict=True) if text is not None}
        for row in lake.read(table)
    ]
    assert rows == [
        {shown(path): text for path, text in expected(each).items()} for each in objects
    ]


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.lists(OBJECTS, min_size=1, max_size=4),
    st.sampled_from([None, 1]),
    st.lists(st.integers(0, 200), max_size=4),
)
def test_json_cut_anywhere_is_the_same_json(objects, indent, cuts):
    array = json.dumps(objects, indent=indent)
    lines = "\n".join(map(json.dumps, objects))
    for text in (array, lines):
        edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
        pieces = [text[a:b].encode() for a, b in pairwise(edges) if a < b]
        assert list(rows(iter(pieces), "a", {})) == list(rows(iter([text.encode()]), "a", {}))
