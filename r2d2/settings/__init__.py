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
# Settings of r2d2, at their defaults; what is behind # is an example. Any section may be left out,
# and any key but those that are needed once their section is given. GB are 10⁹ bytes, _s seconds.
# Patterns match locations in the lake: * and ? as in a shell, * crosses /. The last match counts.

[find]                                    # r2d2 find, tables and explain
types = "strict"                          # or "widened": numbers match by exact value, of any type
min_fraction = 1.0                        # from which on near-containment is listed
case_sensitive = false                    # of columns' names
renamed = false                           # also match columns that were renamed
constant_columns = false                  # also children whose constant columns the parent lacks
ignore_columns = []                       # patterns of columns that do not matter, as ["etl_*"]
text_exports = false                      # CSV and JSON exports of typed tables, too
stages = ["schema", "metadata", "sketch", "exact"]
sketch_size = 1024                        # hashes of a table that are compared before all of them
sample_rows = 10                          # of a child, where the stage "sample" is asked for
# threads = 4                             # of the local engine; the cores of the machine by default
memory_bytes = 1_073_741_824              # of row hashes in memory; more go to a scratch folder
include = []                              # look only at these tables, folders or patterns
exclude = []                              # never look at these: neither child nor parent
sample_tables = 0                         # a first look at so many tables; 0 is all

# [[table]]                               # where names do not tell, or wrongly; one key is needed:
# folder = "exports/orders"               # all data files below it are one table
# [[table]]
# files = "exports/months/*.parquet"      # each of these is a table

# [[text]]                                # what CSV and JSON tables are told instead of detected
# tables = "exports/*.csv"                # needed
# delimiter = ";"
# quote = "'"                             # "" where there is none
# escape = "~"
# encoding = "cp1252"
# header = true                           # whether the first line names the columns
# skip_rows = 0                           # lines before the header, or the first row
# null_marker = "NA"                      # the text that stands for NULL; none by default

[prices]                                  # r2d2 plan; in US dollars; --prices FILE goes over them
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
# tables = "dashboards/*"                 # needed
# limit_s = 60.0                          # needed

# [[protect]]                             # tables that must stay
# tables = "finance/*"                    # needed
# reason = "kept for the auditors"        # needed

# [[tenant]]                              # no table is rebuilt from another tenant's
# tables = "customers/acme/*"             # needed
# name = "acme"                           # needed

# [[view]]                                # these may be views of what stays, where a catalogue or a
# tables = "warehouse/*"                  # needed; reader of views is there
# limit_s = 60.0                          # needed; how much longer a read may take

# [[prefer]]                              # of equal copies these stay, if that costs no more:
# tables = "gold/*"                       # needed; those of an earlier rule before those of a later
# reason = "gold is what teams build on"  # needed

[plan]
max_deleted_share = 1.0                   # of the lake's bytes, in one plan
min_saving_usd_per_month = 1.0            # nothing is deleted for less,
min_plan_saving_usd_per_month = 10.0      # and nothing at all if the whole plan saves less
solver = "highs"                          # or "cbc"
time_limit_s = 120.0                      # for the solver; then the best plan found is taken

[deletion]                                # r2d2 apply and purge
retention_days = 30.0                     # so long a deleted table can be undone, and is not purged
copy_in_buckets = false                   # without versions: copy, compare, delete
hold_delta_parents = false                # parents refuse deletes by delta.appendOnly

# [[sql_name]]                            # r2d2 recipe show --dialect: a table's name in SQL
# table = "exports/planes.csv.gz"         # needed; its location in the lake
# name = ["main", "fleet", "planes"]      # needed; catalogue, schema, table: all, two or the last

# [cluster]                               # r2d2 vmcost: the machines, where the log names none
# provider = "aws"                        # or "azure", "gcp"
# region = "us-east-1"                    # as the provider writes it
# vm = "m5.xlarge"                        # of the executors
# count = 4                               # of their VMs, if they stood for the whole run
# driver_vm = "m5.large"                  # of the driver
# spot = false                            # whether the executors' VMs are spot

[billing]                                 # how rented time is billed, and fees besides
quantum_s = 0.001                         # time is billed in steps of so much
minimum_s = 60.0                          # and for so much at least
start_up_s = 0.0                          # rented before the first executor, beyond the log
idle_tail_s = 0.0                         # rented after the last executor
uplift_usd_per_node_hour = 0.0            # added to each VM's price: a service's fee, say
# dbu_usd = 0.15                          # what a DBU costs; without it none are billed
# keep_vms = true                         # kept between executors; the log tells it by default
# service = "databricks"                  # whose fee is added; the log tells it by default
disk_gb = 0.0                             # of each VM's disks
# disk_usd_per_gb_month = 0.08            # as listed for the provider by default

[packing]                                 # what of each VM is not for executors
# reserved_cores = 1                      # for the system; a core by default,
# reserved_mib = 2048                     # and a tenth of the memory, or 1 GiB if that is more
numa_cores = 0                            # of a NUMA node; 0 where none are to be told

[report]                                  # how money is told
runs_per_month = 30.0                     # of each application, for the money of a month
tags = [                                  # properties of Spark by whose values money is charged
  "spark.yarn.queue",
  "spark.yarn.tags",
  "spark.kubernetes.namespace",
  "spark.databricks.clusterUsageTags.clusterName",
]

# [right_size]                            # the cheapest machines that still meet a deadline
# deadline_s = 300.0                      # needed; of the application
# probability = 0.95                      # of meeting it
# vms = ["m5.xlarge", "m5.2xlarge"]       # types to try; the cluster's own by default
# counts = [1, 2, 3, 4, 6, 8, 12, 16]     # of VMs, to try
# relative_sd = 0.1                       # of run times, where one run is all there is

# [spot]                                  # spot VMs against those on demand
# interruptions_per_vm_hour = 0.05        # needed; yours: no list has it
# usd_per_hour = 0.11                     # of a spot VM, where the price list has none
# replacement_s = 120.0                   # until another VM stands
# deadline_s = 600.0                      # of the application, if it has one
# trials = 1000                           # runs that are simulated
# seed = 0                                # of their random numbers

# [serverless]                            # each stage on the cluster or on serverless workers
# source = "the provider's price page"    # needed; of the price
# as_of = 2026-09-01                      # needed; the day it was looked up
# max_workers = 50                        # needed; at once
# worker_cores = 1                        # of a worker
# worker_gb = 4.0                         # of a worker's memory
# minimum_s = 0.0                         # that a worker is billed for
# usd_per_gb_second = 0.0000167           # with usd_per_core_second, or usd_per_cu_hour alone
# usd_per_core_second = 0.0               # beside the price of memory
# usd_per_cu_hour = 0.0                   # of a compute unit (CU) of the service
# core_speed = 1.0                        # of a worker's core, beside one of the cluster's
# deadline_s = 600.0                      # of the application, if it has one

# [pipeline]                              # which VMs to rent for jobs that wait for each other
# deadline_s = 3600.0                     # needed; of all jobs
# vms = ["m5.xlarge", "m5.2xlarge"]       # needed; types that may be rented
# late_usd = 1.0                          # for being late at all
# late_usd_per_hour = 2.0                 # and for each hour

# [[job]]                                 # a job of the pipeline
# name = "load"                           # needed; in the schedule
# application = "nightly load"            # needed; name or id of the application in the logs
# after = []                              # names of jobs that must be done before
"""
"""The file that `r2d2 init` writes: every section and key, its default and its meaning."""

VMCOST_TOML = INIT_TOML[INIT_TOML.index("# [cluster]") :]
"""Its sections on costs, which `r2d2 init vmcost` writes."""
