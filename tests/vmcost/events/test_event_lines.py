"""Lines of chunks, as splitting the whole would give them."""

from hypothesis import given
from hypothesis import strategies as st

from r2d2.vmcost.events.codecs import lines


@given(st.lists(st.binary(max_size=9).map(lambda data: data.replace(b"\x00", b"\n"))))
def test_however_the_stream_is_cut_the_lines_are_the_same(chunks: list[bytes]) -> None:
    whole = b"".join(chunks).split(b"\n")
    assert list(lines(chunks)) == (whole if whole[-1] else whole[:-1])


@given(st.lists(st.text("ab\n", max_size=9).map(str.encode)), st.integers(0, 5))
def test_lines_beyond_the_limit_are_none(chunks: list[bytes], most: int) -> None:
    whole = b"".join(chunks).split(b"\n")
    expected = whole if whole[-1] else whole[:-1]
    assert list(lines(chunks, most)) == [x if len(x) <= most else None for x in expected]
