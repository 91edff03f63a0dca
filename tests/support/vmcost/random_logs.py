"""Random small event logs, and the truth about each: for the tests of readers, bills and replays.

    log = random_log(seed)      the same seed, the same log
    log.lines                   what Spark would have written, one event a line, in order of time
    log.truth                   the Application that a reader must find, with no problems
    log.core_ms, log.task_ms    Σ cores × (removed or end − added), Σ (finish − launch)

    @given(logs())              the same as a Hypothesis strategy, shrinking towards seed 0

A log has up to four hosts and eight executors of mixed sizes, of which some are removed, and up to
five jobs of one to three stages; tasks fail, are killed, run speculatively, or are lost with their
executor. Nothing overlaps that could not: an executor runs at most cores // task_cpus tasks at a
time, and only while it is there. About one in six is in local mode, one in six has no end event.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from r2d2.vmcost.model import Application
from tests.support.vmcost.random_runs import random_run
from tests.support.vmcost.written_events import events

SEEDS = range(1_000)
"""A thousand logs that every engineer's tests can share."""


@dataclass(frozen=True, slots=True)
class RandomLog:
    """The lines of a log and what they say."""

    lines: tuple[str, ...]
    truth: Application
    core_ms: int
    task_ms: int

    def text(self) -> str:
        """The log as one text."""
        return "".join(f"{line}\n" for line in self.lines)


def random_log(seed: int) -> RandomLog:
    """The log of that seed."""
    run = random_run(random.Random(seed))
    return RandomLog(_lines(events(run)), run.application(), run.core_ms(), run.task_ms())


def logs() -> st.SearchStrategy[RandomLog]:
    """Any such log."""
    return st.integers(0, 2**32 - 1).map(random_log)


def _lines(found: list[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(json.dumps(event, separators=(",", ":"), ensure_ascii=False) for event in found)
