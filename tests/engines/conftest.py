"""Lakes that both engines are asked about."""

from pathlib import Path
from random import Random

import pytest

from tests.support.oracle.random_lakes import make_lake

RANDOM_LAKES = 25


@pytest.fixture(scope="session")
def random_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many random lakes in one, so that one question is about tables of every kind."""
    lake = tmp_path_factory.mktemp("random")
    for seed in range(RANDOM_LAKES):
        make_lake(lake / f"lake {seed}", Random(seed))
    return lake
