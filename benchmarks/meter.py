"""Runs its arguments as a command and writes what that cost to stderr, as JSON.

Their output, and their errors, go to stdout. A process that outlives its parent, as Spark's Java
does for a moment, is adopted (on Linux) and waited for, so that it is charged too; the wall clock
stops when the command itself ends.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import time

ORPHANS_S = 20.0
PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Run, wait, tell."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    start = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stderr=subprocess.STDOUT)
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    costs = [used, *orphans(time.monotonic() + ORPHANS_S)]
    cost = {
        "exit_code": process.returncode,
        "wall_s": wall_s,
        "cpu_s": sum(used.ru_utime + used.ru_stime for used in costs),
        "peak_mb": max(used.ru_maxrss for used in costs) / 1024,
    }
    print(json.dumps(cost), file=sys.stderr)


def orphans(until: float) -> list[resource.struct_rusage]:
    """What the adopted processes used; those still running at a time are left alone."""
    costs = []
    while time.monotonic() < until:
        try:
            pid, _, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            costs.append(used)
        else:
            time.sleep(0.02)
    return costs


if __name__ == "__main__":
    main()
