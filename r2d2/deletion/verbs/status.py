"""status: each deletion of a lake, its state, its parents, what it saved; as plain data."""

from datetime import datetime
from typing import Any

from r2d2.deletion.journal import Journal
from r2d2.deletion.verbs.purge import ends_at
from r2d2.lake.deletions import Deletion, State

DAYS_A_MONTH = 30.4375


def status_of(journal: Journal, retention_days: float) -> list[dict[str, Any]]:
    """The deletions in the order in which they began; those that were taken back are left out."""
    now = journal.now()
    return [
        _status(deletion, retention_days, now)
        for deletion in journal.state.deletions.values()
        if deletion.state is not State.LIVE
    ]


def _status(deletion: Deletion, retention_days: float, now: datetime) -> dict[str, Any]:
    entry = deletion.record["entry"]
    began = deletion.tombstoned_at or deletion.since
    months = (now - began).total_seconds() / 86400 / DAYS_A_MONTH
    is_kept = deletion.is_kept or deletion.state is State.PURGING
    ends = ends_at(deletion, retention_days) if is_kept else None
    return {
        "id": deletion.id,
        "table": deletion.table,
        "state": deletion.state.value,
        "since": deletion.since.isoformat(),
        "purge_after": None if ends is None else ends.isoformat(),
        "size_bytes": entry["size_bytes"],
        "rows": entry["evidence"]["rows"],
        "recipe": entry["recipe"],
        "parents": deletion.parents,
        "holds": deletion.parents if deletion.holds else [],
        "rebuild_p95_s": entry["rebuild_p95_s"],
        "latency_limit_s": entry["latency_limit_s"],
        "saving_usd_per_month": entry["saving_usd_per_month"],
        "saved_usd": entry["saving_usd_per_month"] * months if deletion.holds else 0.0,
        "plan_sha256": deletion.record["plan_sha256"],
    }
