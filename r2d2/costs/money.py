"""What a table costs per month, kept or rebuilt, and how long a rebuild takes.

    storage_usd     = unique bytes × storage price
    maintenance_usd = scans per month × bytes × scan price
    rebuild_usd     = rebuilds per month × (bytes read × read price + bytes written × write price
                      + rebuild seconds × VM price per second) + residual bytes × storage price
    rebuild_p95_s   = start-up p95 + bytes read / read rate + bytes written / write rate

Where the rebuild was run, its seconds take the place of the rates' medians, and their p95 is as
many times longer as the rates say of p95 and p50. Start-up is paid for like work, at its p95.
"""

from dataclasses import dataclass

from r2d2.settings.plan import Prices, Rates

GB = 10**9


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What one run of a recipe reads and writes, and what it keeps aside all the time.

    `measured_s` is a run's seconds without start-up, None where it was not run.
    `residual_bytes` are rows, row lists and bitmaps that the recipe stores beside its parents.
    """

    read_bytes: int
    written_bytes: int
    residual_bytes: int = 0
    measured_s: float | None = None


def storage_usd(unique_bytes: int, prices: Prices) -> float:
    """What storing costs per month, of bytes that no other table needs.

    >>> storage_usd(10**12, Prices(storage_usd_per_gb_month=0.02))
    20.0
    """
    return unique_bytes / GB * prices.storage_usd_per_gb_month


def maintenance_usd(size_bytes: int, scans_per_month: float, prices: Prices) -> float:
    """What scanning all of the table's bytes so often costs per month."""
    return scans_per_month * size_bytes / GB * prices.scan_usd_per_gb


def rebuild_usd(rebuild: Rebuild, rebuilds_per_month: float, prices: Prices, rates: Rates) -> float:
    """What rebuilding so often costs per month, and what is stored for it."""
    seconds = rates.start_up_p95_s + _work_s(rebuild, rates)
    once_usd = (
        rebuild.read_bytes / GB * prices.read_usd_per_gb
        + rebuild.written_bytes / GB * prices.write_usd_per_gb
        + seconds * prices.vm_usd_per_hour / 3600
    )
    return rebuilds_per_month * once_usd + storage_usd(rebuild.residual_bytes, prices)


def rebuild_p95_s(rebuild: Rebuild, rates: Rates) -> float:
    """The seconds that 95 of 100 rebuilds stay within, start-up included."""
    p95_s = _rated_s(rebuild, rates.read_p95_s_per_gb, rates.write_p95_s_per_gb)
    if rebuild.measured_s is None:
        return rates.start_up_p95_s + p95_s
    p50_s = _rated_s(rebuild, rates.read_p50_s_per_gb, rates.write_p50_s_per_gb)
    slower = p95_s / p50_s if p50_s else 1.0
    return rates.start_up_p95_s + rebuild.measured_s * slower


def _work_s(rebuild: Rebuild, rates: Rates) -> float:
    if rebuild.measured_s is not None:
        return rebuild.measured_s
    return _rated_s(rebuild, rates.read_p50_s_per_gb, rates.write_p50_s_per_gb)


def _rated_s(rebuild: Rebuild, read_s_per_gb: float, write_s_per_gb: float) -> float:
    return rebuild.read_bytes / GB * read_s_per_gb + rebuild.written_bytes / GB * write_s_per_gb
