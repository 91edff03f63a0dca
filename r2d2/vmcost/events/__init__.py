"""Spark event logs in, applications out.

Plain, zstd, gzip, and lz4, snappy and lzf as Spark writes them; Spark 2.3 to 4.2; single files,
rolling folders, Databricks' hourly files, folders of many. What is wrong with a log is counted in
its application's problems (`problems` lists them) or, where no application comes out, is a reason.
"""

from r2d2.vmcost.events.problems import EventLogError, LeftOutLog, LogProblem, fault_text
from r2d2.vmcost.events.read import EventLogs, fetched, read_applications, read_logs

__all__ = [
    "EventLogError",
    "EventLogs",
    "LeftOutLog",
    "LogProblem",
    "fault_text",
    "fetched",
    "read_applications",
    "read_logs",
]
