"""Settings from TOML files, the environment and flags."""

import re
from fnmatch import fnmatchcase
from functools import lru_cache


def is_named(location: str, pattern: str) -> bool:
    """Whether the pattern is the location to the letter, or a glob that matches it.

    >>> is_named("t[12]", "t[12]"), is_named("t1", "t[12]")
    (True, True)
    """
    return location == pattern or fnmatchcase(location, pattern)


def is_among(location: str, pattern: str) -> bool:
    """Whether the pattern names the table at the location, or a folder above it.

    `./` in front, a slash at the end and doubled slashes do not count; the lake itself is `.`.

    >>> [is_among("b/x.csv", pattern) for pattern in ("b", "./b/", "b/x.csv/", "[ab]", "/b")]
    [True, True, True, True, False]
    """
    own = _written_plainly(pattern)
    if own == "." or is_named(location, own):
        return True
    return location.startswith(f"{own}/") or fnmatchcase(location, f"{own}/*")


@lru_cache
def _written_plainly(pattern: str) -> str:
    """The pattern as locations are written.

    >>> _written_plainly("././b//x/"), _written_plainly("./")
    ('b/x', '.')
    """
    short = re.sub("/+", "/", pattern)
    while short.startswith("./"):
        short = short[2:]
    return short.rstrip("/") or ("." if pattern.startswith("./") else pattern)


INIT_TOML = """\
# Settings of r2d2. Every key is optional; these are the defaults. GB are 10⁹ bytes, _s are seconds.
# Patterns match locations in the lake: * and ? as in a shell, * crosses /. The last match counts.

# [find]                                  # what `r2d2 find` takes: types, min_fraction, …
# types = "widened"

# [[table]]                               # where names do not tell, or tell it wrong:
# folder = "exports/orders"               # all data files below it are one table
# [[table]]
# files = "exports/months/*.parquet"      # each of these is a table

[prices]                                  # in US dollars; --prices FILE goes over them
as_of = 2022-07-07                        # when they were looked up; needed where any is given
source = "list prices for us-east-1, as others recorded them: S3 Standard 0.023 USD/GiB/month, \
GET 0.0004 and PUT 0.005 USD/1,000 requests of 8 MiB, Athena 5 USD/TiB, m5.xlarge on demand"
storage_usd_per_gb_month = 0.0214
scan_usd_per_gb = 0.00455                 # of maintenance: privacy scans, compaction
read_usd_per_gb = 0.0000477               # charged by the storage: requests, egress
write_usd_per_gb = 0.000596
vm_usd_per_hour = 0.192                   # all machines that rebuild a table, together

[rates]                                   # where nothing was measured; --profile goes over them
source = "assumed: 0.1 GB/s read and 0.05 GB/s written on four cores, half of it at p95"
start_up_p95_s = 120.0
read_p50_s_per_gb = 10.0
read_p95_s_per_gb = 20.0
write_p50_s_per_gb = 20.0
write_p95_s_per_gb = 40.0
vm_type = ""                              # which cluster of the profile, if it has several;
vm_count = 0                              # "" and 0 take its only one

[usage]
reads_per_month = 1.0                     # of tables that --usage FILE does not tell of (see
                                          # jobs/usage_exports.md); each is a rebuild, once deleted
most_reads_per_month = 30.0               # of these at most: the plan tells what it saves then
maintenance_scans_per_month = 1.0
# as_of = 2026-09-01                      # the file tells of reads to this day; else its last one

[latency]
default_limit_s = 3600.0                  # how long readers may wait for a deleted table
unread_days = 90                          # of tables that nobody read for so many days
unread_limit_s = 86400.0                  # they may wait for a day

# [[limit]]                               # … and for some
# tables = "dashboards/*"
# limit_s = 60.0

# [[protect]]                             # tables that must stay
# tables = "finance/*"
# reason = "kept for the auditors"

# [[tenant]]                              # no table is rebuilt from another tenant's
# tables = "customers/acme/*"
# name = "acme"

# [[view]]                                # tables that may become views of what stays, read
# tables = "warehouse/*"                  # through a catalogue or a reader of views;
# limit_s = 60.0                          # how much longer a read may take

# [[prefer]]                              # of equal copies these stay, if that costs no more;
# tables = "gold/*"                       # earlier rules go first
# reason = "gold is what teams build on"

[plan]
max_deleted_share = 1.0                   # of the lake's bytes, in one plan
min_saving_usd_per_month = 1.0            # nothing is deleted for less,
min_plan_saving_usd_per_month = 10.0      # and nothing at all if the whole plan saves less
solver = "highs"                          # or "cbc"
time_limit_s = 120.0                      # for the solver; then the best plan found is taken

[deletion]
retention_days = 30.0                     # so long a deleted table can be undone; then it may be
                                          # purged
"""
"""The file that `r2d2 init` writes: every key, its default and its meaning."""
