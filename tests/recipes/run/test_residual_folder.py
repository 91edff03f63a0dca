"""A residual is opened within its run's folder, whatever a plan says of its location."""

import hashlib
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.errors import RecipeRunError
from r2d2.recipes.grammar import Residual, ResidualKind
from r2d2.recipes.run.residuals import ResidualFolder

ROWS = pa.table({"x": [1, 2]})


def residual(location: str, content: bytes) -> Residual:
    digest = hashlib.sha256(content).hexdigest()
    return Residual(ResidualKind.ROWS, location, 2, len(content), digest)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run, outside = tmp_path / "run", tmp_path / "outside"
    (run / "residuals").mkdir(parents=True)
    outside.mkdir()
    for place in (run / "residuals", outside):
        pq.write_table(ROWS, place / "a.parquet")
    (run / "residuals" / "link.parquet").symlink_to(outside / "a.parquet")
    (run / "linked").symlink_to(outside)
    os.mkfifo(run / "residuals" / "fifo")
    return run


def test_a_file_of_the_folder_is_read(folder: Path, tmp_path: Path) -> None:
    content = (folder / "residuals/a.parquet").read_bytes()
    assert ResidualFolder(folder)(residual("residuals/a.parquet", content)).equals(ROWS)
    (tmp_path / "alias").symlink_to(folder)
    assert ResidualFolder(tmp_path / "alias")(residual("residuals/a.parquet", content)) == ROWS


@pytest.mark.parametrize(
    "location",
    [
        "../outside/a.parquet",
        "residuals/../../outside/a.parquet",
        "residuals/../residuals/a.parquet",
        "{tmp}/outside/a.parquet",
        "residuals/link.parquet",
        "linked/a.parquet",
        "residuals/fifo",
        "residuals",
        "",
        "residuals/a\0.parquet",
        "residuals/gone.parquet",
    ],
)
def test_nothing_else_is_opened(folder: Path, tmp_path: Path, location: str) -> None:
    content = (tmp_path / "outside" / "a.parquet").read_bytes()
    with pytest.raises(RecipeRunError):
        ResidualFolder(folder)(residual(location.format(tmp=tmp_path), content))
