"""Problems of event logs, counted by kind, and logs that are left out with a reason.

| key of `Application.problems` | counts |
|---|---|
| `application_end_disbelieved` | end events before the start |
| `application_read_twice` | other logs of the same attempt, left out |
| `application_started_twice` | further start events, passed over |
| `application_without_end` | 1 where no end event tells the end |
| `application_without_id` | 1 where the file's name stands for the id |
| `executor_added_late` | executors added after the end, which have no time |
| `executor_added_twice` | further additions of an executor that was there, passed over |
| `executor_not_removed` | executors that are taken to stand until the end |
| `executor_removed_early` | executors removed before they were added, which have no time |
| `executor_removed_unknown` | removals of executors that were never added, or were gone |
| `file_damaged` | compressed files that cannot be read on from some place |
| `file_empty` | parts without a byte |
| `file_truncated` | compressed files that stop before their end |
| `job_without_end` | jobs that were never seen to end |
| `job_without_start` | jobs that ended without a start |
| `line_malformed` | lines that are no JSON, or lack what their event must have |
| `line_not_utf8` | lines with bytes or escapes that are no text, replaced by U+FFFD |
| `line_too_long` | lines beyond the limit, passed over |
| `metric_disbelieved` | negative metrics, read as 0 |
| `moment_disbelieved` | moments far beyond all others, which do not extend the run |
| `part_missing` | parts that a rolling log's numbers say there were |
| `part_repeated` | parts of a number that another file has, left out |
| `parts_compacted` | 1 where Spark dropped finished jobs from a rolling log |
| `task_ended_twice` | further ends of a task, passed over |
| `task_resubmitted` | tasks whose output was lost later: rows of no length, as failed |
| `task_time_disbelieved` | tasks without a launch or a finish after it, which have no time |
| `task_without_end` | tasks that started and were never seen to end |
| `task_without_executor` | tasks on executors that were never added |
"""

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from r2d2.errors import R2D2Error


class LogProblem(str, Enum):
    """A kind of damage in a log that is read all the same; the module's table explains each."""

    APPLICATION_END_DISBELIEVED = "application_end_disbelieved"
    APPLICATION_READ_TWICE = "application_read_twice"
    APPLICATION_STARTED_TWICE = "application_started_twice"
    APPLICATION_WITHOUT_END = "application_without_end"
    APPLICATION_WITHOUT_ID = "application_without_id"
    EXECUTOR_ADDED_LATE = "executor_added_late"
    EXECUTOR_ADDED_TWICE = "executor_added_twice"
    EXECUTOR_NOT_REMOVED = "executor_not_removed"
    EXECUTOR_REMOVED_EARLY = "executor_removed_early"
    EXECUTOR_REMOVED_UNKNOWN = "executor_removed_unknown"
    FILE_DAMAGED = "file_damaged"
    FILE_EMPTY = "file_empty"
    FILE_TRUNCATED = "file_truncated"
    JOB_WITHOUT_END = "job_without_end"
    JOB_WITHOUT_START = "job_without_start"
    LINE_MALFORMED = "line_malformed"
    LINE_NOT_UTF8 = "line_not_utf8"
    LINE_TOO_LONG = "line_too_long"
    METRIC_DISBELIEVED = "metric_disbelieved"
    MOMENT_DISBELIEVED = "moment_disbelieved"
    PART_MISSING = "part_missing"
    PART_REPEATED = "part_repeated"
    PARTS_COMPACTED = "parts_compacted"
    TASK_ENDED_TWICE = "task_ended_twice"
    TASK_RESUBMITTED = "task_resubmitted"
    TASK_TIME_DISBELIEVED = "task_time_disbelieved"
    TASK_WITHOUT_END = "task_without_end"
    TASK_WITHOUT_EXECUTOR = "task_without_executor"


LogProblemCounts = Counter[LogProblem]


def counted(problems: LogProblemCounts) -> Mapping[str, int]:
    """The problems met at least once, by name in order."""
    return {key.value: problems[key] for key in sorted(problems) if problems[key] > 0}


class EventLogError(R2D2Error):
    """An event log cannot be read, or has no application."""


class LeftOutLog(NamedTuple):
    """A log or file that was left out, and why."""

    path: str
    reason: str
