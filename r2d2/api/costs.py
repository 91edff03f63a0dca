"""Result of `vmcost` as a user of the library has it: applications and the rows of their bills."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec

from r2d2.api.records import Columns, Frames, Records, html_table
from r2d2.text_tables import pluralize
from r2d2.vmcost.events import LeftOutLog
from r2d2.vmcost.report.figures import money

if TYPE_CHECKING:
    import pyarrow as pa

Data = Mapping[str, Any]


class ApplicationCost(msgspec.Struct, frozen=True):
    """An application's cost. `usd` and `money` are None where the machines' prices are not known,
    and `why` says why; the parts of `money` sum to `usd`."""

    application_id: str
    attempt: str | None
    name: str
    user: str
    spark_version: str
    files: tuple[str, ...]
    started: str
    ended_told: bool
    duration_s: float
    core_seconds: float
    tasks: int
    busy_fraction: float | None
    usd: float | None
    usd_per_month: float | None
    why: str | None
    money: dict[str, float] | None
    not_included: tuple[str, ...]
    problems: dict[str, int]


class BillRow(msgspec.Struct, frozen=True):
    """A job, a stage or an executor of an application, with its money and task time.

    `id` is the job's, the stage's with its attempt, or the executor's; None for a row of all
    others. The name of an executor is its host's.
    """

    application_id: str
    attempt: str | None
    id: str | None
    name: str
    usd: float | None
    task_s: float


class Applications(Records[ApplicationCost]):
    """The applications of some logs, in order of id, attempt and start."""

    noun = "application"
    columns: ClassVar[Columns] = {
        "application_id": ("string", lambda row: row.application_id),
        "attempt": ("string", lambda row: row.attempt),
        "name": ("string", lambda row: row.name),
        "started": ("instant", lambda row: datetime.fromisoformat(row.started)),
        "duration_s": ("double", lambda row: row.duration_s),
        "core_seconds": ("double", lambda row: row.core_seconds),
        "tasks": ("int64", lambda row: row.tasks),
        "busy_fraction": ("double", lambda row: row.busy_fraction),
        "usd": ("double", lambda row: row.usd),
        "usd_per_month": ("double", lambda row: row.usd_per_month),
        "why": ("string", lambda row: row.why),
    }


class BillRows(Records[BillRow]):
    """Rows of bills, in the report's order."""

    columns: ClassVar[Columns] = {
        "application_id": ("string", lambda row: row.application_id),
        "attempt": ("string", lambda row: row.attempt),
        "id": ("string", lambda row: row.id),
        "name": ("string", lambda row: row.name),
        "usd": ("double", lambda row: row.usd),
        "task_s": ("double", lambda row: row.task_s),
    }


class LeftOutLogs(Records[LeftOutLog]):
    """Logs that no application was read from, each with the reason."""

    noun = "log"
    columns: ClassVar[Columns] = {
        "path": ("string", lambda log: str(log[0])),
        "reason": ("string", lambda log: log[1]),
    }


@dataclass(frozen=True, slots=True, repr=False)
class VmCosts(Frames):
    """The costs of a cluster's VMs; `data` is all of it, as `report.json` has it.

    `left_out` are logs without an application, each with the reason. As a frame it is its
    `applications`.
    """

    applications: Applications
    data: Data
    left_out: LeftOutLogs = field(default_factory=LeftOutLogs)

    @classmethod
    def of(cls, data: Data, left_out: Iterable[LeftOutLog] = ()) -> Self:
        """The costs of a report's data."""
        told = msgspec.convert(data["applications"], list[ApplicationCost])
        return cls(Applications(told), data, LeftOutLogs(left_out))

    @property
    def usd(self) -> float | None:
        """The money of all applications but those `unpriced`; None where that of none is known."""
        known = [each.usd for each in self.applications if each.usd is not None]
        return math.fsum(known) if known else None

    @property
    def unpriced(self) -> int:
        """The number of applications of which no money is known; each says `why`."""
        return sum(application.usd is None for application in self.applications)

    @property
    def jobs(self) -> BillRows:
        """The jobs of all applications."""
        return BillRows(self._rows("by_job", ("job",), "name"))

    @property
    def stages(self) -> BillRows:
        """The attempts of stages of all applications."""
        return BillRows(self._rows("by_stage", ("stage", "attempt"), "name"))

    @property
    def executors(self) -> BillRows:
        """The executors of all applications."""
        return BillRows(self._rows("by_executor", ("executor",), "host"))

    def _rows(self, key: str, ids: Sequence[str], name: str) -> Iterator[BillRow]:
        for application in self.data["applications"]:
            for row in application[key]:
                parts = [str(row[part]) for part in ids if row[part] is not None]
                yield BillRow(
                    application["application_id"],
                    application["attempt"],
                    ".".join(parts) or None,
                    row[name],
                    row["usd"],
                    row["task_s"],
                )

    def to_arrow(self) -> "pa.Table":
        """The applications as an Arrow table."""
        return self.applications.to_arrow()

    def __repr__(self) -> str:
        known = self.usd
        told = "cost not known" if known is None else money(known)
        if known is not None and self.unpriced:
            told += f", {self.unpriced:,} without a price"
        return f"<{pluralize(len(self.applications), 'application')}: {told}>"

    def _repr_html_(self) -> str:
        return html_table(repr(self)[1:-1], self.applications)
