"""Runs a notebook in this process and stores what its cells print and show.

    python -m tools.notebook docs/sample_lake.ipynb

It does as Jupyter's kernel would for cells of plain Python, and needs no package: the test of the
notebooks runs them by this, and compares. The working folder is the repository's copy of
`sample_lake`, in a folder of its own that goes at the end.
"""

import ast
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REPOSITORY = Path(__file__).parents[1]
Cell = dict[str, Any]


def ran(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the outputs of a run from its first cell to its last.

    Raises:
        Exception: what a cell raised.
    """
    with TemporaryDirectory() as folder, chdir(folder):
        shutil.copytree(REPOSITORY / "sample_lake", "sample_lake")
        return {**notebook, "cells": list(_cells(notebook["cells"], os.path.realpath(folder)))}


def _cells(cells: list[Cell], folder: str) -> Iterator[Cell]:
    names: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    for cell in cells:
        if cell["cell_type"] != "code":
            yield cell
            continue
        count += 1
        outputs = _outputs("".join(cell["source"]), names, count)
        told = json.dumps(outputs, ensure_ascii=False).replace(f"{folder}/", "")
        yield {**cell, "execution_count": count, "outputs": json.loads(told)}


def _outputs(source: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """What a cell prints, and the value of its last line if that is an expression."""
    tree, value = ast.parse(source), None
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, "<cell>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if text := printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": _lines(text)})
    if value is not None:
        data = {"text/plain": _lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data = {"text/html": _lines(value._repr_html_()), **data}
        outputs.append(
            {
                "data": data,
                "execution_count": count,
                "metadata": {},
                "output_type": "execute_result",
            }
        )
    return outputs


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def text_of(notebook: dict[str, Any]) -> str:
    """The notebook as the text of its file."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    """Runs the notebooks that are named, and writes each anew."""
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(text_of(ran(json.loads(path.read_text("utf-8")))), encoding="utf-8")


if __name__ == "__main__":
    main()
