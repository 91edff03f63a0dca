"""Approval: a person's word that a plan may be applied, within limits, for a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from r2d2.deletion.journal import Journal, who
from r2d2.errors import R2D2Error, UsageError
from r2d2.lake.deletions import Event, JournalRecord
from r2d2.plan.check import Broken, check_plan
from r2d2.plan.plan_form import Data

VALID_DAYS, MOST_DAYS = 7, 36_500


class NotApprovedError(R2D2Error):
    """Nobody said that the plan may be applied, or the time for it is over."""


@dataclass(frozen=True, slots=True)
class ApprovalLimits:
    """What an approval allows at most: tables, bytes, and the share of the lake's bytes."""

    tables: int | None = None
    size_bytes: int | None = None
    share: float | None = None

    def broken(self, plan: Data) -> Iterator[str]:
        """A sentence for each limit that the plan exceeds."""
        totals = plan["totals"]
        count, size_bytes = totals["deleted"], totals["freed_bytes"]
        share = size_bytes / totals["bytes"] if totals["bytes"] else 0.0
        if self.tables is not None and count > self.tables:
            yield f"the plan deletes {count} tables, at most {self.tables} are allowed"
        if self.size_bytes is not None and size_bytes > self.size_bytes:
            yield f"the plan deletes {size_bytes} bytes, at most {self.size_bytes} are allowed"
        if self.share is not None and share > self.share:
            yield f"the plan deletes {share:.1%} of the lake, at most {self.share:.1%} is allowed"


def approve(
    journal: Journal,
    plan: Data,
    run: Path | None,
    limits: ApprovalLimits,
    days: float = VALID_DAYS,
    approved_by: str | None = None,
    no_catalogue: bool = False,
) -> JournalRecord:
    """Journals that the plan, by its SHA-256, may be applied.

    `no_catalogue`: whoever approves knows that no catalogue has a table of these files.

    Raises:
        UsageError: the days are none or too many.
        R2D2Error: the plan breaks a rule or a limit.
        LeaseError: another runner works on the lake's deletions.
    """
    if not 0 < days <= MOST_DAYS:
        raise UsageError(f"--days {days:g}: give more than 0 and at most {MOST_DAYS}")
    wrong: list[Broken] = list(check_plan(plan, run))
    if wrong:
        raise R2D2Error(f"the plan does not hold: {wrong[0][1]}; `r2d2 check` tells all")
    if broken := list(limits.broken(plan)):
        raise R2D2Error("; ".join(broken))
    told = {
        "plan_sha256": plan["sha256"],
        "approved_by": approved_by or who(),
        "tables": plan["totals"]["deleted"],
        "freed_bytes": plan["totals"]["freed_bytes"],
        "no_catalogue": no_catalogue,
        "until": (datetime.now(UTC) + timedelta(days=days)).isoformat(),
    }
    with journal.lease("approve"):
        return journal.append(Event.APPROVED, data=told)


def approval_of(journal: Journal, plan: Data) -> JournalRecord:
    """The approval of exactly this plan, which is not over yet.

    Raises:
        NotApprovedError: there is none.
    """
    found = journal.state.approvals.get(plan["sha256"])
    if found is None:
        raise NotApprovedError("nobody approved this plan as it is: `r2d2 approve` does")
    until = datetime.fromisoformat(found.data["until"])
    if datetime.now(UTC) > until:
        raise NotApprovedError(
            f"the approval by {found.data['approved_by']} ended {until:%Y-%m-%d %H:%M}Z"
        )
    return found
