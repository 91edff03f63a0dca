"""Problems of event logs, counted by kind, and logs that are left out with a reason."""

import traceback
from collections import Counter
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from r2d2.errors import R2D2Error


class LogProblem(str, Enum):
    """The counts in `Application.problems` of what was damaged, passed over or assumed."""

    APPLICATION_END_DISBELIEVED = "application_end_disbelieved"
    """End events before the start."""
    APPLICATION_READ_TWICE = "application_read_twice"
    """Other logs of the same attempt, left out."""
    APPLICATION_STARTED_TWICE = "application_started_twice"
    """Further start events, passed over."""
    APPLICATION_WITHOUT_END = "application_without_end"
    """1 where no end event tells the end."""
    APPLICATION_WITHOUT_ID = "application_without_id"
    """1 where the file's name stands for the id."""
    EXECUTOR_ADDED_LATE = "executor_added_late"
    """Executors added after the end, which have no time."""
    EXECUTOR_ADDED_TWICE = "executor_added_twice"
    """Further additions of an executor that was there, passed over."""
    EXECUTOR_NOT_REMOVED = "executor_not_removed"
    """Executors that are taken to stand until the end."""
    EXECUTOR_REMOVED_EARLY = "executor_removed_early"
    """Executors removed before they were added, which have no time."""
    EXECUTOR_REMOVED_UNKNOWN = "executor_removed_unknown"
    """Removals of executors that were never added, or were gone."""
    FILE_DAMAGED = "file_damaged"
    """Compressed files that cannot be read on from some place."""
    FILE_EMPTY = "file_empty"
    """Parts without a byte."""
    FILE_TRUNCATED = "file_truncated"
    """Compressed files that stop before their end."""
    JOB_WITHOUT_END = "job_without_end"
    """Jobs that were never seen to end."""
    JOB_WITHOUT_START = "job_without_start"
    """Jobs that ended without a start."""
    LINE_MALFORMED = "line_malformed"
    """Lines that are no JSON, or lack what their event must have."""
    LINE_NOT_UTF8 = "line_not_utf8"
    """Lines with bytes or escapes that are no text, replaced by U+FFFD."""
    LINE_TOO_LONG = "line_too_long"
    """Lines beyond the limit, passed over."""
    METRIC_DISBELIEVED = "metric_disbelieved"
    """Negative metrics, read as 0."""
    MOMENT_DISBELIEVED = "moment_disbelieved"
    """Moments far beyond all others, which do not extend the run."""
    PART_MISSING = "part_missing"
    """Parts that a rolling log's numbers say there were."""
    PART_REPEATED = "part_repeated"
    """Parts of a number that another file has, left out."""
    PARTS_COMPACTED = "parts_compacted"
    """1 where Spark dropped finished jobs from a rolling log."""
    TASK_ENDED_TWICE = "task_ended_twice"
    """Further ends of a task, passed over."""
    TASK_RESUBMITTED = "task_resubmitted"
    """Tasks whose output was lost later: of no length, failed."""
    TASK_TIME_DISBELIEVED = "task_time_disbelieved"
    """Tasks without a launch or a finish after it, which have no time."""
    TASK_WITHOUT_END = "task_without_end"
    """Tasks that started and were never seen to end."""
    TASK_WITHOUT_EXECUTOR = "task_without_executor"
    """Tasks on executors that were never added."""


LogProblemCounts = Counter[LogProblem]


def counted(problems: LogProblemCounts) -> Mapping[str, int]:
    """The problems met at least once, by name in order."""
    return {key.value: problems[key] for key in sorted(problems) if problems[key] > 0}


class EventLogError(R2D2Error):
    """An event log cannot be read, or has no application."""


def fault_text(error: Exception) -> str:
    """The sentence for an error that no input should raise, with the line that raised it."""
    *_, last = traceback.extract_tb(error.__traceback__) or [None]
    place = f" at {Path(last.filename).name}:{last.lineno}" if last else ""
    return f"a fault of r2d2, please report it: {type(error).__name__}{place}: {error}"


class LeftOutLog(NamedTuple):
    """A log or file that was left out, and why."""

    path: str
    reason: str
