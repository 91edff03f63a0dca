"""Random small lakes: every answer of r2d2 is the brute force's, whatever stages it takes.

200 lakes by default; 3,000 with

    R2D2_RANDOM_LAKES=3000 python -m pytest -q tests/lakes/test_random_lakes.py

and a single one, say number 1234, with `-k "[1234-"` beside it. To look at that lake:

    python -m tests.support.oracle.random_lakes 1234 /tmp/lake
    python -m tests.support.oracle.brute_force /tmp/lake
"""

import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.oracle.disagreements import disagreements, told
from tests.support.oracle.random_lakes import make_lake

LAKES = int(os.environ.get("R2D2_RANDOM_LAKES", "200"))


@pytest.mark.parametrize("types", ["strict", "widened"])
@pytest.mark.parametrize("seed", range(LAKES))
def test_r2d2_agrees_with_the_brute_force(
    seed: int, types: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if seed % 2:
        request.getfixturevalue("footers")
    made = make_lake(tmp_path, Random(seed))
    lines = list(disagreements(tmp_path, types))
    stories = {table.location: table.story for table in made}
    assert not lines, f"seed {seed}: " + told(tmp_path, lines, stories, types)


@pytest.mark.parametrize("types", ["strict", "widened"])
def test_each_engine_agrees_on_twenty_lakes_in_one(tmp_path: Path, engine: str, types: str) -> None:
    stories = {}
    for seed in range(1000, 1020):
        for table in make_lake(tmp_path / f"lake{seed}", Random(seed)):
            stories[f"lake{seed}/{table.location}"] = table.story
    lines = list(disagreements(tmp_path, types, stages=({},), engine=engine))
    assert not lines, told(tmp_path, lines, stories, types)


@settings(
    max_examples=20,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(chance=st.randoms(use_true_random=False))
def test_hypothesis_finds_no_lake_on_which_they_differ(
    chance: Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lake = tmp_path_factory.mktemp("lake")
    made = make_lake(lake, chance)
    stories = {table.location: table.story for table in made}
    for types in ("strict", "widened"):
        lines = list(disagreements(lake, types, stages=({},)))
        assert not lines, told(lake, lines, stories, types)
