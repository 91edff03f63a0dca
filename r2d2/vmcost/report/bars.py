"""The parts of money, VM time and task time as labelled bars with their shares."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from r2d2.vmcost.report.figures import Data, money, share

PARTS: Mapping[str, tuple[str, str]] = {
    "busy": ("busy in tasks", "cores at work on tasks that succeeded"),
    "idle_in_jobs": (
        "idle inside jobs",
        "cores without a task while a job ran: few or uneven tasks",
    ),
    "idle_between_jobs": ("idle between jobs", "no job ran: the driver worked or waited"),
    "start_up": ("start-up", "rented before the first executor was there"),
    "driver": ("driver VM", "a machine of its own for the driver, for the whole run"),
    "failed": ("failed or killed tasks", "tasks that failed, were killed or ran twice"),
    "stranded": ("stranded cores", "cores of the VM that no executor owned"),
    "rounding": ("billing minimum and rounding", "billed beyond what was used"),
}
"""The parts of the money in the order of the report, each with a label and its meaning."""

CAUSES: Mapping[str, tuple[str, str]] = {
    "cpu_s": ("CPU", "the task's own thread in the JVM"),
    "gc_s": ("garbage collection", "the JVM stood still"),
    "fetch_wait_s": ("waiting for shuffle blocks", "blocks of other executors were on their way"),
    "shuffle_write_s": ("writing shuffle blocks", "to the executor's disk"),
    "waiting_s": ("other waiting", "storage, Python's workers, spilling"),
    "deserialize_s": ("deserialising", "the task and its code, before it ran"),
    "result_s": ("serialising results", "after it ran"),
    "scheduling_s": ("scheduling", "getting there, and the result back"),
}
"""The causes of task time, each with a label and its meaning."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a whole: `share` of the whole, `length` of the longest bar, both 0 to 1.

    `start` and `width` place it where all are laid end to end. A negative amount has no length.
    """

    key: str
    label: str
    told: str
    amount: float
    share: float
    length: float
    start: float
    width: float


def money_bars(application: Data) -> tuple[Bar, ...]:
    """The parts of the money in USD, largest first; none where there is no money."""
    usd = application["money"]
    if usd is None:
        return ()
    named = [(key, *PARTS.get(key, (_words(key), "")), usd[key]) for key in _known(PARTS, usd)]
    return _bars(sorted(named, key=lambda part: -part[3]), sum(usd.values()))


def sentence(application: Data) -> str:
    """A sentence on the money for tasks that succeeded, and the largest other part; or empty."""
    bars = money_bars(application)
    if not bars or not application["usd"]:
        return ""
    whole = application["usd"]
    work = next((bar for bar in bars if bar.key == "busy"), None)
    paid = work.amount if work else 0.0
    text = f"{money(paid, whole)} of {money(whole)} ({share(paid / whole)}) paid for tasks that"
    other = next((bar for bar in bars if bar.key != "busy" and bar.amount > 0), None)
    if other is None:
        return f"{text} succeeded."
    return (
        f"{text} succeeded; the largest other part: {other.label},"
        f" {money(other.amount, whole)} ({share(other.share)})."
    )


def vm_bars(application: Data) -> tuple[Bar, ...]:
    """VM-seconds by the same parts, largest first; none where no machine was rented."""
    seconds = application["vm_s"]
    if not sum(seconds.values()):
        return ()
    named = [(key, *PARTS.get(key, (_words(key), "")), seconds[key]) for key in seconds]
    return _bars(sorted(named, key=lambda part: -part[3]), sum(seconds.values()))


def time_bars(application: Data) -> tuple[Bar, ...]:
    """Seconds of task time by cause, largest first."""
    seconds = {k: v for k, v in application["task_time"].items() if k.endswith("_s")}
    known = _known(CAUSES, seconds)
    named = [(key, *CAUSES.get(key, (_words(key), "")), seconds[key]) for key in known]
    return _bars(sorted(named, key=lambda part: -part[3]), sum(seconds.values()))


def _known(labels: Mapping[str, object], amounts: Mapping[str, float]) -> list[str]:
    return [k for k in labels if k in amounts] + sorted(k for k in amounts if k not in labels)


def _words(key: str) -> str:
    return key.removesuffix("_s").replace("_", " ")


def _bars(parts: Iterable[tuple[str, str, str, float]], whole: float) -> tuple[Bar, ...]:
    listed = list(parts)
    lengths = [max(amount, 0.0) for *_, amount in listed]
    starts = [0.0, *accumulate(lengths)]
    longest, total = max(lengths, default=0.0) or 1.0, starts[-1] or 1.0
    return tuple(
        Bar(
            key,
            label,
            told,
            amount,
            share=amount / whole if whole else 0.0,
            length=length / longest,
            start=start / total,
            width=length / total,
        )
        for (key, label, told, amount), length, start in zip(listed, lengths, starts, strict=False)
    )
