"""The columns that `key=value` folders add to the files below them."""

import datetime as dt
import re
from collections.abc import Callable, Hashable
from fractions import Fraction
from pathlib import PurePosixPath
from urllib.parse import unquote

import pyarrow as pa

from tests.support.oracle.canonical import Kind, Name, kind

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"

Partition = tuple[Name, Kind, list[Hashable]]


def partitions(location: str, files: list[PurePosixPath], *, widened: bool) -> list[Partition]:
    """Each partition column's name, kind and value for each file."""
    depth = len(PurePosixPath(location).parts)
    folders = [file.parts[depth:-1] for file in files]
    columns: list[Partition] = []
    for level in zip(*folders, strict=True):
        pairs = [folder.partition("=") for folder in level]
        texts = [None if text == NULL_PARTITION else unquote(text) for _, _, text in pairs]
        type_, convert = _partition_type([text for text in texts if text is not None])
        found: list[Hashable] = [None if text is None else convert(text) for text in texts]
        columns.append(((unquote(pairs[0][0]).lower(),), kind(type_, widened=widened), found))
    return columns


def _partition_type(texts: list[str]) -> tuple[pa.DataType, Callable[[str], Hashable]]:
    """Whole numbers or dates where each is written as that type writes it; else text."""
    if texts and all(re.fullmatch(r"0|-?[1-9]\d{0,17}", text, re.ASCII) for text in texts):
        small = all(-(2**31) <= int(text) < 2**31 for text in texts)
        return (pa.int32() if small else pa.int64()), Fraction
    if texts and all(map(_is_date, texts)):
        epoch = dt.date(1970, 1, 1)
        return pa.date32(), lambda text: (dt.date.fromisoformat(text) - epoch).days
    return pa.string(), str.encode


def _is_date(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
