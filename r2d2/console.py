"""Prints to stdout."""

import sys
from collections.abc import Iterable


def print_lines(lines: Iterable[str]) -> None:
    """Prints lines of text to stdout."""
    print_text("".join(line + "\n" for line in lines))


def print_text(output: str) -> None:
    """Prints to stdout, whatever its encoding."""
    sys.stdout.buffer.write(output.encode(errors="replace"))
    sys.stdout.flush()


def print_json(data: object) -> None:
    """Prints data as JSON to stdout, in the same bytes each time."""
    from r2d2.files import json_text

    print_text(json_text(data))
