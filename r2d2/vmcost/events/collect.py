"""The events of one log, decoded line by line; bytes and escapes that are no text are repaired.

Those of jobs and of the attempts of stages may come in any order.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from r2d2.vmcost.events import schema
from r2d2.vmcost.events.problems import LogProblem, LogProblemCounts
from r2d2.vmcost.events.stages import JobsAndStages
from r2d2.vmcost.events.tasks import TaskRows

_EVENT = re.compile(rb'\{"Event":"(?:[\w$]+\.)*(\w+)"')
"""The start of each line; the kinds that nobody reads here need not be parsed."""
_MARK = "\ufeff".encode()
MOST_REPAIRED_BYTES = 2**20
_KIND = msgspec.json.Decoder(schema.AnyEvent)


class CollectedEvents:
    """The events of a log so far."""

    def __init__(self) -> None:
        self.problems = LogProblemCounts()
        self.lines = 0
        self.version = ""
        self.starts: list[schema.ApplicationStart] = []
        self.ends_ms: list[int] = []
        self.properties: dict[str, str] = {}
        self.profiles: dict[int, schema.ResourceProfileAdded] = {}
        self.added: list[schema.ExecutorAdded] = []
        self.removed: list[schema.ExecutorRemoved] = []
        self.jobs = JobsAndStages()
        self.tasks = TaskRows()
        self._readers = self._by_kind()

    def read(self, line: bytes | None) -> None:
        """Takes in a line; None is one that was too long.

        Raises:
            EventLogError: there are too many tasks.
        """
        if line is None:
            self.lines += 1
            self.problems[LogProblem.LINE_TOO_LONG] += 1
        elif line and not line.isspace():
            if self.lines == 0:
                line = line.removeprefix(_MARK)
            self.lines += 1
            self._read(line)

    def _read(self, line: bytes) -> None:
        match = _EVENT.match(line)
        kind = match[1] if match else _other_kind(line)
        if reader := self._readers.get(kind):
            decoder, take = reader
            event, mended = _decoded(line, decoder)
            self.problems[LogProblem.LINE_MALFORMED] += event is None
            self.problems[LogProblem.LINE_NOT_UTF8] += mended
            if event is not None:
                take(event)
        elif not kind or not line.rstrip().endswith(b"}"):
            self.problems[LogProblem.LINE_MALFORMED] += 1

    def _by_kind(self) -> dict[bytes, tuple[msgspec.json.Decoder[Any], Callable[[Any], None]]]:
        """The decoder and the receiver of each kind of event."""
        takers: dict[str, tuple[type, Callable[[Any], None]]] = {
            "SparkListenerTaskEnd": (schema.TaskEnd, self.tasks.end),
            "SparkListenerTaskStart": (schema.TaskStart, self.tasks.start),
            "SparkListenerStageSubmitted": (schema.StageEvent, self.jobs.stage_event),
            "SparkListenerStageCompleted": (schema.StageEvent, self.jobs.stage_event),
            "SparkListenerJobStart": (schema.JobStart, self.jobs.start),
            "SparkListenerJobEnd": (schema.JobEnd, self.jobs.end),
            "SparkListenerExecutorAdded": (schema.ExecutorAdded, self.added.append),
            "SparkListenerExecutorRemoved": (schema.ExecutorRemoved, self.removed.append),
            "SparkListenerResourceProfileAdded": (schema.ResourceProfileAdded, self._profile),
            "SparkListenerEnvironmentUpdate": (schema.EnvironmentUpdate, self._environment),
            "SparkListenerApplicationStart": (schema.ApplicationStart, self.starts.append),
            "SparkListenerApplicationEnd": (schema.ApplicationEnd, self._end),
            "SparkListenerLogStart": (schema.LogStart, self._version),
            "DBCEventLoggingListenerMetadata": (schema.LogStart, self._version),
        }
        return {
            kind.encode(): (msgspec.json.Decoder(event), taker)
            for kind, (event, taker) in takers.items()
        }

    def _profile(self, event: schema.ResourceProfileAdded) -> None:
        self.profiles[event.id] = event

    def _environment(self, event: schema.EnvironmentUpdate) -> None:
        known = {key: value for key, value in event.properties.items() if value is not None}
        self.properties.update(known)

    def _end(self, event: schema.ApplicationEnd) -> None:
        self.ends_ms.append(event.ended_ms)

    def _version(self, event: schema.LogStart) -> None:
        self.version = self.version or event.version


def _other_kind(line: bytes) -> bytes:
    """The kind of a line that begins otherwise than Spark's; b"" where it is no event."""
    event, _ = _decoded(line, _KIND)
    return b"" if event is None else event.event.rsplit(".", 1)[-1].encode("utf-8", "replace")


def _decoded(line: bytes, decoder: msgspec.json.Decoder[Any]) -> tuple[Any, bool]:
    """The event, None where there is none, and whether the line was mended for it."""
    try:
        return decoder.decode(line), False
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        mended = _repaired(line)
    if mended is None:
        return None, False
    try:
        return decoder.decode(mended), True
    except (msgspec.DecodeError, RecursionError):
        return None, False


def _repaired(line: bytes) -> bytes | None:
    """The line with U+FFFD for what is no UTF-8 and for halves of surrogate pairs.

    None where that is not what is wrong with it, or it is too long to be worth it.
    """
    if len(line) > MOST_REPAIRED_BYTES:
        return None
    text = line.decode("utf-8", "replace")
    try:
        whole = json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    mended = whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    return None if mended == line else mended
