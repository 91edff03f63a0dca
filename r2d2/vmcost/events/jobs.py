"""Jobs and the attempts of stages, from their events in any order."""

from r2d2.vmcost.events.problems import LogProblem, LogProblemCounts
from r2d2.vmcost.events.schema import JobEnd, JobStart, StageEvent, StageInfo
from r2d2.vmcost.model import Job, SparkStage


class JobsAndStages:
    """The jobs and stages of a log while it is read."""

    def __init__(self) -> None:
        self._starts: dict[int, JobStart] = {}
        self._ends: dict[int, JobEnd] = {}
        self._stages: dict[tuple[int, int], StageInfo] = {}

    def start(self, event: JobStart) -> None:
        """A job starts; of stages that are skipped this is all that tells."""
        for stage in event.stages:
            self._stage(stage)
        self._starts.setdefault(event.id, event)

    def end(self, event: JobEnd) -> None:
        """A job ends."""
        self._ends.setdefault(event.id, event)

    def stage_event(self, event: StageEvent) -> None:
        """A stage is submitted, or has completed."""
        self._stage(event.stage)

    def _stage(self, stage: StageInfo) -> None:
        known = self._stages.setdefault((stage.id, stage.attempt), stage)
        known.submitted_ms = (
            stage.submitted_ms if known.submitted_ms is None else known.submitted_ms
        )
        known.completed_ms = (
            stage.completed_ms if known.completed_ms is None else known.completed_ms
        )
        known.problem = known.problem or stage.problem

    def moments(self) -> list[int]:
        """Every moment that a job or stage names."""
        named = [
            *(event.started_ms for event in self._starts.values()),
            *(event.ended_ms for event in self._ends.values()),
            *(stage.submitted_ms for stage in self._stages.values()),
            *(stage.completed_ms for stage in self._stages.values()),
        ]
        return [moment for moment in named if moment is not None and moment > 0]

    def stages(self) -> tuple[SparkStage, ...]:
        """Every attempt, by its numbers; of one that never ran `submitted_ms` is None."""
        return tuple(
            SparkStage(
                id=number,
                attempt=attempt,
                name=stage.name or "",
                tasks=max(0, stage.tasks),
                submitted_ms=_moment(stage.submitted_ms),
                completed_ms=_moment(stage.completed_ms),
                parents=tuple(sorted(set(stage.parents))),
                problem=stage.problem or "",
            )
            for (number, attempt), stage in sorted(self._stages.items())
        )

    def jobs(self, problems: LogProblemCounts) -> tuple[Job, ...]:
        """Every job, by its number."""
        problems[LogProblem.JOB_WITHOUT_START] += len(self._ends.keys() - self._starts.keys())
        problems[LogProblem.JOB_WITHOUT_END] += len(self._starts.keys() - self._ends.keys())
        return tuple(self._job(job) for job in sorted(self._starts.keys() | self._ends.keys()))

    def _job(self, job: int) -> Job:
        start, end = self._starts.get(job), self._ends.get(job)
        result = end.result.result if end and end.result else None
        return Job(
            id=job,
            stages=_stage_ids(start) if start else (),
            started_ms=_moment(start.started_ms) if start else None,
            ended_ms=_moment(end.ended_ms) if end else None,
            succeeded=None if result is None else result == "JobSucceeded",
            name=_name(start) if start else "",
            labels=_labels(start) if start else {},
        )


def _moment(told_ms: int | None) -> int | None:
    """The moment; Spark writes −1 or 0 for one it does not know."""
    return told_ms if told_ms is not None and told_ms > 0 else None


def _stage_ids(start: JobStart) -> tuple[int, ...]:
    return tuple(sorted({*start.stage_ids, *(stage.id for stage in start.stages)}))


def _name(start: JobStart) -> str:
    """The user's description, else the name of the last stage, as in Spark's own pages."""
    if start.properties and start.properties.description:
        return start.properties.description
    last = max(start.stages, key=lambda stage: stage.id, default=None)
    return last.name or "" if last else ""


def _labels(start: JobStart) -> dict[str, str]:
    """The labels of r2d2's own jobs."""
    properties = start.properties
    if properties is None:
        return {}
    labels = {"r2d2.read": properties.read, "r2d2.read_bytes": properties.read_bytes}
    return {name: value for name, value in labels.items() if value is not None}
