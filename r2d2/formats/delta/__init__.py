"""Delta tables without a JVM: the log replayed byte by byte, the data files by pyarrow.

The log's meaning is that of PROTOCOL.md of delta-io/delta. What this package does not know for
certain (a feature, an action's shape, a type) makes the table unreadable or ineligible.
"""

from r2d2.formats.delta.read import read
from r2d2.formats.delta.table import inspect

__all__ = ["inspect", "read"]
