"""Rates that the companion job measured on real clusters, in place of assumed ones.

`profile.json` is one object:

    {"profile": 1,                                      version of this schema
     "id": "4f2a…", "as_of": "2026-09-01",              what the plan names
     "read":  {"s_per_gb": {"p50": 9.1, "p95": 14.0}, "usd_per_gb": 0.00005},
     "write": {"s_per_gb": {"p50": 17.0, "p95": 31.0}, "usd_per_gb": 0.0006},
     "clusters": [{"vm_type": "m5.xlarge", "vm_count": 4, "vm_usd_per_hour": 0.192,
                   "start_up_p95_s": 95.0,
                   "start_up_s": {"p50": 41.0, "p95": 95.0}, "starts": 12,
                   "read": null, "write": null}]}

Seconds per GB are wall clock of a whole cluster: of all runs together, and of those of a cluster's
type and number, under its own `read` and `write`. `usd_per_gb` is what the storage charges for the
bytes, without the machines' time: that is priced by seconds × `vm_count` × `vm_usd_per_hour`.
A cluster's may be null or absent: then those of all runs hold. These, and `usd_per_gb`, may be null
where no run told: then the plan's own figures hold.
The latency of a rebuild takes the start-up's p95, never a mean: of starts of 10, 20, 30, 40 and
100 s that is 100 s, not 40. `start_up_s` and `starts` may be left out.
Other keys are passed over. All numbers are finite and at least 0.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any

from r2d2.errors import UsageError
from r2d2.settings.plan import PlanSettings, Rates


@dataclass(frozen=True, slots=True)
class TransferRate:
    """Reading or writing: wall clock per GB, and what the storage charges, None if unknown."""

    p50_s_per_gb: float
    p95_s_per_gb: float
    usd_per_gb: float | None


@dataclass(frozen=True, slots=True)
class ProfiledCluster:
    """Machines of one type, their number, and how long 95 of 100 starts take at most.

    `start_up_p50_s` is of half the starts, None where the profile has no distribution. `read` and
    `write` were measured on such machines alone; None where they were on others only.
    """

    vm_type: str
    vm_count: int
    vm_usd_per_hour: float
    start_up_p95_s: float
    start_up_p50_s: float | None = None
    starts: int = 0
    read: TransferRate | None = None
    write: TransferRate | None = None

    @property
    def start_up(self) -> str:
        """The start-up in words; empty where nothing more than its p95 is known."""
        if self.start_up_p50_s is None:
            return ""
        quantiles = f"{self.start_up_p50_s:g} s at p50, {self.start_up_p95_s:g} s at p95"
        starts = "1 start" if self.starts == 1 else f"{self.starts} starts"
        return f", start-up {quantiles} of {starts}"


@dataclass(frozen=True, slots=True)
class Profile:
    """Measured seconds and storage charges per GB, and the clusters they hold for."""

    id: str
    as_of: date
    read: TransferRate | None
    write: TransferRate | None
    clusters: tuple[ProfiledCluster, ...]

    def cluster(self, vm_type: str, vm_count: int) -> ProfiledCluster:
        """The cluster of that type and number of machines; "" and 0 stand for any.

        Raises:
            UsageError: none or several clusters match.
        """
        matching = [
            cluster
            for cluster in self.clusters
            if vm_type in ("", cluster.vm_type) and vm_count in (0, cluster.vm_count)
        ]
        if len(matching) != 1:
            known = ", ".join(f"{c.vm_count} × {c.vm_type}" for c in self.clusters)
            raise UsageError(
                f"profile {self.id}: [rates] vm_type = {vm_type!r}, vm_count = {vm_count} match"
                f" {len(matching)} of its clusters: {known}"
            )
        return matching[0]

    def rates_on(self, cluster: ProfiledCluster, rates: Rates) -> Rates:
        """The rates on such a cluster, in place of the given ones as far as runs told them."""
        source = f"profile {self.id} of {self.as_of}{cluster.start_up}"
        told: dict[str, Any] = {"source": source, "start_up_p95_s": cluster.start_up_p95_s}
        ways = {"read": cluster.read or self.read, "write": cluster.write or self.write}
        for way, rate in ways.items():
            if rate is not None:
                told[f"{way}_p50_s_per_gb"] = rate.p50_s_per_gb
                told[f"{way}_p95_s_per_gb"] = rate.p95_s_per_gb
        return replace(rates, **told)


def with_profile(settings: PlanSettings, profile: Profile) -> PlanSettings:
    """The settings with the profile's rates and charges in place of their own."""
    cluster = profile.cluster(settings.rates.vm_type, settings.rates.vm_count)
    charged: dict[str, Any] = {"vm_usd_per_hour": cluster.vm_usd_per_hour * cluster.vm_count}
    for way, rate in {"read": profile.read, "write": profile.write}.items():
        if rate is not None and rate.usd_per_gb is not None:
            charged[f"{way}_usd_per_gb"] = rate.usd_per_gb
    return replace(
        settings,
        prices=replace(settings.prices, **charged),
        rates=profile.rates_on(cluster, settings.rates),
    )


def load_profile(path: Path) -> Profile:
    """The profile in a file.

    Raises:
        UsageError: the file is missing, no JSON or of another version, or a value is wrong.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    if not isinstance(data, Mapping) or data.get("profile") != 1:
        raise UsageError(f'{path}: expected an object with "profile": 1')
    try:
        return _profile(data)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: missing or wrong: {error}") from error


def _profile(data: Mapping[str, Any]) -> Profile:
    return Profile(
        id=str(data["id"]),
        as_of=date.fromisoformat(data["as_of"]),
        read=_transfer(data["read"]),
        write=_transfer(data["write"]),
        clusters=tuple(map(_cluster, data["clusters"])),
    )


def _cluster(data: Mapping[str, Any]) -> ProfiledCluster:
    spread = data.get("start_up_s") or {}
    return ProfiledCluster(
        str(data["vm_type"]),
        int(_number(data, "vm_count")),
        _number(data, "vm_usd_per_hour"),
        _number(spread, "p95") if spread else _number(data, "start_up_p95_s"),
        _number(spread, "p50") if spread else None,
        int(_number(data, "starts")) if spread else 0,
        _transfer(data.get("read")),
        _transfer(data.get("write")),
    )


def _transfer(data: Mapping[str, Any] | None) -> TransferRate | None:
    if data is None:
        return None
    return TransferRate(
        _number(data["s_per_gb"], "p50"),
        _number(data["s_per_gb"], "p95"),
        None if data["usd_per_gb"] is None else _number(data, "usd_per_gb"),
    )


def _number(data: Mapping[str, Any], key: str) -> float:
    value = data[key]
    if type(value) not in (int, float) or not isfinite(value) or value < 0:
        raise ValueError(f"{key} = {value!r}: expected a number, 0 or more")
    return float(value)
