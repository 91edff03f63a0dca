"""The form of `plan.json`: every key of a plan and the type of its value.

No other key may be there. Figures are derived again by `check.py`.
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

import msgspec

from r2d2.errors import UsageError

Data = dict[str, Any]
Count = Annotated[int, msgspec.Meta(ge=0)]


class _Choice(msgspec.Struct, forbid_unknown_fields=True):
    """A table's entry as the file has it; of those that stay, the last keys are missing."""

    table: str
    choice: Literal["keep", "delete"]
    reason: str
    must_keep: str | None
    tenant: str | None
    parents: list[str]
    recipe: dict[str, Any] | None
    keep_usd_per_month: float
    saving_usd_per_month: float
    rebuild_p95_s: float | None
    latency_limit_s: float
    size_bytes: Count
    frees_bytes: Count
    files_sha256: str
    usage: "PlannedUsage"
    way: Literal["rebuild", "view"] | msgspec.UnsetType = msgspec.UNSET
    rebuild_usd_per_month: float | msgspec.UnsetType = msgspec.UNSET
    evidence: "_EvidenceForm | msgspec.UnsetType" = msgspec.UNSET
    layout: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    files: list[tuple[str, Count, str]] | msgspec.UnsetType = msgspec.UNSET
    inside: list[str] | msgspec.UnsetType = msgspec.UNSET
    copy_that_stays: dict[str, str] | msgspec.UnsetType | None = msgspec.UNSET
    saving_at_least_usd_per_month: float | msgspec.UnsetType = msgspec.UNSET
    saving_at_most_usd_per_month: float | msgspec.UnsetType = msgspec.UNSET


class PlannedUsage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reads of a table a month, as stated or assumed, and who reads it."""

    assumed: bool
    unread: bool
    reads_per_month: float
    last_read: date | None
    consumers: Count | None
    consumer_names: list[str]


class _EvidenceForm(msgspec.Struct, forbid_unknown_fields=True):
    """What a run of the recipe measured; of one that was not run, the last keys are missing."""

    run: bool
    rows: Count | msgspec.UnsetType = msgspec.UNSET
    fingerprint: str | msgspec.UnsetType = msgspec.UNSET
    seconds: float | msgspec.UnsetType = msgspec.UNSET
    trial_sha256: str | msgspec.UnsetType = msgspec.UNSET
    read_bytes: Count | msgspec.UnsetType = msgspec.UNSET
    written_bytes: Count | msgspec.UnsetType = msgspec.UNSET
    residual_bytes: Count | msgspec.UnsetType = msgspec.UNSET
    snapshots: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    survives: dict[str, dict[str, str]] | msgspec.UnsetType = msgspec.UNSET


class PlanTotals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sums over the tables of a plan: bytes, money, reads, and the work of finding recipes."""

    tables: Count
    deleted: Count
    freed_bytes: Count
    residual_bytes: Count
    bytes: Count
    max_freed_bytes: Count | None
    cost_usd_per_month: float
    keep_all_usd_per_month: float
    saving_usd_per_month: float
    saving_usd_per_year: float
    saving_at_least_usd_per_month: float
    saving_at_most_usd_per_month: float
    work_seconds: float
    work_usd: float
    payback_months: float | None
    below_min_saving: Count
    unread_pays_from_bytes: Count | None
    read_pays_from_bytes: Count | None
    reads_per_month: float
    reads_assumed: Count
    deleted_reads_assumed: Count
    consumers: Count
    edges_without_recipe: dict[str, Count]
    passes_over_parents: dict[str, Count]
    recipes_run: Count
    recipes_that_failed: Count


class _SolverForm(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    version: str
    status: Literal["optimal", "feasible"]
    bound_usd_per_month: float
    gap: float
    options: Count
    views: Count


class _RunForm(msgspec.Struct, forbid_unknown_fields=True):
    graph_sha256: str
    recipes_sha256: str


class _PlanForm(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    lake: str
    tables: list[_Choice]
    totals: PlanTotals
    solver: _SolverForm
    settings: dict[str, Any]
    snapshots: dict[str, str]
    owners: dict[str, Any]
    find: dict[str, Any]
    run: _RunForm
    warnings: list[str]
    sha256: str


def check_form(plan: Data, place: str = "") -> None:
    """Passes where every key of a plan is there, no other is, and each value is of its type.

    Raises:
        UsageError: one is not; the message begins with `place` and leads to it.
    """
    try:
        form = msgspec.convert(plan, _PlanForm)
    except msgspec.ValidationError as error:
        raise UsageError(f"{place}not a plan of r2d2's: {error}") from error
    for number, entry in enumerate(form.tables):
        deleted = entry.choice == "delete"
        there = _there(entry, OF_DELETED) | {entry.recipe is not None}
        of_run: set[bool] = set()
        if isinstance(entry.evidence, _EvidenceForm):
            of_run = _there(entry.evidence, _EvidenceForm.__struct_fields__[1:])
            of_run.add(entry.evidence.run)
        if there != {deleted} or len(of_run) > 1:
            told = "lacks what a table of its choice has, or has more"
            raise UsageError(f"{place}not a plan of r2d2's: $.tables[{number}] {told}")


OF_DELETED = _Choice.__struct_fields__[-9:]


def _there(form: msgspec.Struct, keys: Sequence[str]) -> set[bool]:
    return {getattr(form, key) is not msgspec.UNSET for key in keys}
