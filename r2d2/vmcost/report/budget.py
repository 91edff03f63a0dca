"""Budgets: what the applications of a report may cost, and how much of it may be for nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from r2d2.errors import UsageError

IDLE = ("start_up", "idle_in_jobs", "idle_between_jobs", "stranded")


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that all applications may cost together, and the greatest share that may be idle.

    Idle is rented time without a task: start-up, idle cores, stranded cores, of the money of all
    VMs. Where no money is known it is the share of core-seconds without a task.

    Raises:
        UsageError: a limit is negative, or the share above 1.
    """

    max_usd: float | None = None
    max_idle: float | None = None

    def __post_init__(self) -> None:
        if self.max_usd is not None and not self.max_usd >= 0:
            raise UsageError(f"--max-usd {self.max_usd}: give 0 or more")
        if self.max_idle is not None and not 0 <= self.max_idle <= 1:
            raise UsageError(f"--max-idle {self.max_idle}: give a share from 0 to 1")

    def broken(self, applications: Sequence[Mapping[str, Any]]) -> list[str]:
        """A sentence for each limit that is not kept.

        Raises:
            UsageError: the money is limited, and that of an application is not known.
        """
        sentences = []
        if self.max_usd is not None:
            usd = sum(_usd(application) for application in applications)
            if usd > self.max_usd:
                sentences.append(f"--max-usd {self.max_usd:g}: the applications cost ${usd:.6f}")
        if self.max_idle is not None:
            share = idle_share(applications)
            if share is not None and share > self.max_idle:
                sentences.append(f"--max-idle {self.max_idle:g}: {share:.3f} was idle")
        return sentences


def idle_share(applications: Sequence[Mapping[str, Any]]) -> float | None:
    """The share that was idle, of money where all is priced, else of core-seconds."""
    if applications and all(application["money"] for application in applications):
        whole = sum(application["usd"] for application in applications)
        idle = sum(application["money"][part] for application in applications for part in IDLE)
    else:
        whole = sum(application["core_seconds"] for application in applications)
        idle = whole - sum(
            application["core_seconds"] * (application["busy_fraction"] or 0)
            for application in applications
        )
    return idle / whole if whole else None


def _usd(application: Mapping[str, Any]) -> float:
    usd = application["usd"]
    if usd is None:
        reason = f"{application['application_id']}: {application['why']}"
        raise UsageError(f"--max-usd cannot be judged: {reason}")
    return float(usd)
