"""A thousand random logs are read as what they were made from."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.vmcost.events.application import application
from r2d2.vmcost.events.collect import CollectedEvents
from r2d2.vmcost.model import Application
from tests.support.vmcost.random_logs import SEEDS, RandomLog, logs, random_log


def read(lines: list[str]) -> Application:
    facts = CollectedEvents()
    for line in lines:
        facts.read(line.encode())
    return application(facts, (), "")


def check_same(found: Application, expected: Application) -> None:
    """All fields are equal; problems are asked about elsewhere."""
    assert found.tasks.dtype == expected.tasks.dtype
    np.testing.assert_array_equal(found.tasks, expected.tasks)
    apart = {"tasks": expected.tasks[:0], "problems": {}, "files": ()}
    assert repr(replace(found, **apart)) == repr(replace(expected, **apart))


@pytest.mark.slow
def test_a_thousand_logs_are_read_as_what_they_were_made_from() -> None:
    for seed in SEEDS:
        log = random_log(seed)
        found = read(list(log.lines))
        check_same(found, log.truth)
        assert found.user == "nobody"
        unusual = found.problems.keys() - {"executor_not_removed", "application_without_end"}
        assert not unusual, seed


@pytest.mark.slow
@given(logs(), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_the_order_of_lines_is_irrelevant(log: RandomLog, chance: random.Random) -> None:
    lines = list(log.lines)
    chance.shuffle(lines)
    check_same(read(lines), log.truth)
