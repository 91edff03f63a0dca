"""Output files: all written or none; and JSON whose bytes are the same for the same data."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from r2d2.errors import R2D2Error


def write_files(out: Path, texts: Mapping[str, str]) -> None:
    """Writes each text under its name: first all beside their places, then each moved in."""
    try:
        out.mkdir(parents=True, exist_ok=True)
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
