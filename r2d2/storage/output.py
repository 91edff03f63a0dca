"""Output files: all written or none; and JSON whose bytes are the same for the same data."""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from r2d2.errors import R2D2Error

MARKER = ".r2d2"
"""A file that names what r2d2 wrote into its folder."""


class Marker(msgspec.Struct, forbid_unknown_fields=True):
    """The marker's content: names of files and folders beside it that r2d2 wrote."""

    written_by: Literal["r2d2"]
    files: list[str]
    folders: list[str] = []


def marker_text(out: Path, files: Iterable[str], folders: Iterable[str]) -> str:
    """The marker of a folder that gets these files, with what it names already."""
    before = Marker("r2d2", [])
    with suppress(OSError, msgspec.DecodeError):
        before = msgspec.json.decode((out / MARKER).read_bytes(), type=Marker)
    return json_text(
        {
            "written_by": "r2d2",
            "files": sorted({*before.files, *files}),
            "folders": sorted({*before.folders, *folders}),
        }
    )


def write_files(
    out: Path, texts: Mapping[str, str], folders: Sequence[str] = (), marked: bool = True
) -> None:
    """Writes each text under its name: first all beside their places, then each moved in.

    A marker, unless it is not wanted, names them and the `folders` that r2d2 writes beside them: so
    they are no tables where the folder lies in a lake.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if marked:
            texts = {MARKER: marker_text(out, texts, folders), **texts}
        with tempfile.TemporaryDirectory(dir=out, prefix=".r2d2-") as scratch:
            for name, text in texts.items():
                Path(scratch, name).write_text(text, encoding="utf-8", newline="")
            for name in texts:
                os.replace(Path(scratch, name), out / name)
    except OSError as error:
        raise R2D2Error(f"{out}: cannot be written: {error.strerror}") from error


def json_text(data: object) -> str:
    """The data as JSON, keys in order; an item of a top-level list takes a line."""
    if isinstance(data, dict) and data:
        parts = (f"{_line(key)}: {_listed(data[key])}" for key in sorted(data))
        return "{\n" + ",\n".join(parts) + "\n}\n"
    return _listed(data) + "\n"


def _listed(data: object) -> str:
    if not isinstance(data, list | tuple) or not data:
        return _line(data)
    return "[\n " + ",\n ".join(map(_line, data)) + "\n]"


def _line(data: object) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=False)
