"""Settings of a plan: prices, rates, limits, protections, tenants; a dataclass for each section.

A field's name is its key in the file and ends in its unit. GB are 10⁹ bytes.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from r2d2.errors import UsageError
from r2d2.settings import is_among
from r2d2.settings.toml import Kinds, TomlFile, expected, read_toml

SOLVERS = ("highs", "cbc")


@dataclass(frozen=True, slots=True)
class Prices:
    """`[prices]`: what a provider charges, by the day on which that was looked up.

    `scan_usd_per_gb` is for maintenance: what a privacy scan or a compaction pays for each GB.
    `read_usd_per_gb` and `write_usd_per_gb` are charged by the storage (requests, egress);
    `vm_usd_per_hour` is for all machines that rebuild a table, together.
    """

    as_of: date = date(2022, 7, 7)
    source: str = (
        "list prices for us-east-1, as others recorded them: S3 Standard 0.023 USD/GiB/month,"
        " GET 0.0004 and PUT 0.005 USD/1,000 requests of 8 MiB, Athena 5 USD/TiB,"
        " m5.xlarge on demand"
    )
    storage_usd_per_gb_month: float = 0.0214
    scan_usd_per_gb: float = 0.00455
    read_usd_per_gb: float = 0.0000477
    write_usd_per_gb: float = 0.000596
    vm_usd_per_hour: float = 0.192


@dataclass(frozen=True, slots=True)
class Rates:
    """`[rates]`: how long rebuilding takes where nothing was measured.

    `vm_type` and `vm_count` choose among the clusters of a profile; empty and 0 take its only one.
    """

    source: str = "assumed: 0.1 GB/s read and 0.05 GB/s written on four cores, half of it at p95"
    start_up_p95_s: float = 120.0
    read_p50_s_per_gb: float = 10.0
    read_p95_s_per_gb: float = 20.0
    write_p50_s_per_gb: float = 20.0
    write_p95_s_per_gb: float = 40.0
    vm_type: str = ""
    vm_count: int = 0


@dataclass(frozen=True, slots=True)
class UsageDefaults:
    """`[usage]`: how often a table is read where the usage file does not say, and scanned.

    A deleted table is rebuilt for each read. Unknown reads are counted as `reads_per_month`, and
    the plan tells what it saves at none and at `most_reads_per_month`. `as_of` is the day to which
    the file tells of reads; None is the last one in it.
    """

    reads_per_month: float = 1.0
    most_reads_per_month: float = 30.0
    maintenance_scans_per_month: float = 1.0
    as_of: date | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """`[latency]`: how long the readers of a deleted table may wait, where no limit matches.

    Of tables that nobody read for `unread_days`, they may wait for `unread_limit_s`.
    """

    default_limit_s: float = 3600.0
    unread_days: int = 90
    unread_limit_s: float = 86400.0


@dataclass(frozen=True, slots=True)
class Limit:
    """`[[limit]]`: how long the readers of tables whose location matches may wait."""

    tables: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class Protection:
    """`[[protect]]`: tables that must stay, and why."""

    tables: str
    reason: str

    def __post_init__(self) -> None:
        if self.tables.startswith("/"):
            raise UsageError(
                f"tables = {self.tables!r}: give a pattern of locations in the lake, without a"
                " slash at its beginning"
            )


@dataclass(frozen=True, slots=True)
class Tenant:
    """`[[tenant]]`: whose the tables are; none is rebuilt from those of another tenant."""

    tables: str
    name: str


@dataclass(frozen=True, slots=True)
class Preference:
    """`[[prefer]]`: which of equal copies stays, where a plan costs the same with either.

    Tables of an earlier rule go before those of a later one, and these before all others. A table's
    rule is the last one that matches it.
    """

    tables: str
    reason: str


@dataclass(frozen=True, slots=True)
class ViewRule:
    """`[[view]]`: tables at whose names a view may stand, and how much longer a read may take.

    A catalogue or a reader of views must be there for that; none may be a view by default.
    """

    tables: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """`[plan]`: how much one plan may delete and must save, and how the program is solved.

    No deletion saves less than `min_saving_usd_per_month`, no plan less than
    `min_plan_saving_usd_per_month`: then all stays.
    """

    max_deleted_share: float = 1.0
    min_saving_usd_per_month: float = 1.0
    min_plan_saving_usd_per_month: float = 10.0
    solver: str = "highs"
    time_limit_s: float = 120.0

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            raise UsageError(f"solver = {self.solver!r}: known are {', '.join(SOLVERS)}")
        if self.max_deleted_share > 1:
            share = f"max_deleted_share = {self.max_deleted_share:g}"
            raise UsageError(f"{share}: expected a share from 0 to 1")


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """All sections that a plan reads. Where several patterns match a location, the last counts.

    A pattern is a table's location, a folder above it, or a glob of these (see `is_among`).
    """

    prices: Prices = field(default_factory=Prices)
    rates: Rates = field(default_factory=Rates)
    usage: UsageDefaults = field(default_factory=UsageDefaults)
    latency: Latency = field(default_factory=Latency)
    plan: PlanLimits = field(default_factory=PlanLimits)
    limit: tuple[Limit, ...] = ()
    protect: tuple[Protection, ...] = ()
    tenant: tuple[Tenant, ...] = ()
    prefer: tuple[Preference, ...] = ()
    view: tuple[ViewRule, ...] = ()

    def limit_s(self, location: str, unread: bool = False) -> float:
        """The seconds that the table's readers may wait."""
        matching = [rule.limit_s for rule in self.limit if is_among(location, rule.tables)]
        default_s = self.latency.unread_limit_s if unread else self.latency.default_limit_s
        return matching[-1] if matching else default_s

    def protection(self, location: str) -> str | None:
        """The reason why the table must stay, or None where it may go."""
        matching = [rule.reason for rule in self.protect if is_among(location, rule.tables)]
        return matching[-1] if matching else None

    def tenant_of(self, location: str) -> str | None:
        """The tenant of the table; None for tables that no tenant claims, which are one group."""
        matching = [rule.name for rule in self.tenant if is_among(location, rule.tables)]
        return matching[-1] if matching else None

    def preference(self, location: str) -> int:
        """The place of the table's rule among the preferences; after all where it has none."""
        matching = [at for at, rule in enumerate(self.prefer) if is_among(location, rule.tables)]
        return matching[-1] if matching else len(self.prefer)

    def view_limit_s(self, location: str) -> float | None:
        """The seconds more that a read through a view may take; None where none can stand."""
        matching = [rule.limit_s for rule in self.view if is_among(location, rule.tables)]
        return matching[-1] if matching else None

    def idle_rules(self, locations: Collection[str]) -> Iterator[str]:
        """A sentence for each rule that decides nothing for any of the tables."""
        for section, says in _SAYS.items():
            rules: Sequence[Any] = getattr(self, section)
            matching = [
                [number for number, rule in enumerate(rules) if is_among(location, rule.tables)]
                for location in locations
            ]
            deciding = {numbers[-1] for numbers in matching if numbers}
            for number, rule in enumerate(rules):
                if number not in deciding:
                    later = any(number in numbers for numbers in matching)
                    why = "decides nothing: later ones do" if later else UNMATCHED
                    yield f"[[{section}]] {rule.tables!r} ({getattr(rule, says)}) {why}"


_SAYS = {"protect": "reason", "limit": "limit_s", "tenant": "name"}
_SAYS |= {"prefer": "reason", "view": "limit_s"}
UNMATCHED = "matches no table of the lake"

PLAN_SECTIONS: Kinds = {
    "prices": Prices,
    "rates": Rates,
    "usage": UsageDefaults,
    "latency": Latency,
    "plan": PlanLimits,
    "limit": Limit,
    "protect": Protection,
    "tenant": Tenant,
    "prefer": Preference,
    "view": ViewRule,
}


def load_plan_settings(path: Path | None) -> PlanSettings:
    """The settings of a TOML file over the defaults.

    Raises:
        UsageError: the file is missing or no TOML, or a section, key, type or value is wrong.
    """
    return PlanSettings() if path is None else _settings(_file(path))


def plan_settings_of(data: Mapping[str, Any]) -> PlanSettings:
    """The settings that a plan was made with, from its file's `settings`.

    Raises:
        UsageError: a section, key or type is not one of these settings.
    """
    try:
        if unknown := data.keys() - PLAN_SECTIONS.keys():
            raise UsageError(f"settings: unknown section {min(unknown)!r}")
        if missing := PLAN_SECTIONS.keys() - data.keys():
            raise UsageError(f"settings: there is no section {min(missing)!r}")
        read = {name: _as_toml(section) for name, section in data.items()}
        return PlanSettings(**TomlFile(Path("settings"), "", read, PLAN_SECTIONS).values())
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"settings: not those of a plan: {error!r}") from error


def _as_toml(section: Any) -> Any:
    """The section of a plan's file as a TOML file would give it."""
    if isinstance(section, list):
        return [_as_toml(rule) for rule in section]
    values: dict[str, Any] = {
        key: Decimal(value) if isinstance(value, float) else value
        for key, value in section.items()
        if value is not None
    }
    if "as_of" in values:
        values["as_of"] = date.fromisoformat(values["as_of"])
    return values


def load_prices(path: Path) -> Prices:
    """The prices of a TOML file that has a `[prices]` section and no other.

    Raises:
        UsageError: as `load_plan_settings`, or there is no such section, or another one.
    """
    file = _file(path)
    if "prices" not in file.data:
        raise UsageError(f"{path}: has no [prices] section")
    for name in file.data:
        if name != "prices":
            raise file.error((name,), f"{name}: a file of prices has a [prices] section only")
    return _settings(file).prices


def _file(path: Path) -> TomlFile:
    return read_toml(path, PLAN_SECTIONS, f"; `r2d2 init {path}` writes one")


def _settings(file: TomlFile) -> PlanSettings:
    """The file's sections; prices need their day, and their source is the file by default."""
    settings = PlanSettings(**file.values())
    prices = file.data.get("prices")
    if not prices:
        return settings
    if "as_of" not in prices:
        day = expected("as_of", type(settings.prices.as_of))
        raise file.error(("prices",), f"[prices] needs as_of: {day}")
    source = prices.get("source", file.path.name)
    return replace(settings, prices=replace(settings.prices, source=source))
