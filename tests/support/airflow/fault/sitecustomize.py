"""A fault in the middle of an apply: when its second table was moved, and is not yet recorded.

`R2D2_TEST_FAULT_OF` is a file that says which, "kill" or "error"; it happens once.
"""

import errno
import os
import signal
import sys
from pathlib import Path

records = 0


def strike(event: str, arguments: tuple[object, ...]) -> None:
    global records
    if event != "os.link" or b'"tombstoned"' not in Path(str(arguments[0])).read_bytes():
        return
    records += 1
    file = Path(os.environ["R2D2_TEST_FAULT_OF"])
    if records == 2 and file.exists():
        kind = file.read_text()
        file.unlink()
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(arguments[1]))


sys.addaudithook(strike)
