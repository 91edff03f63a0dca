"""The memory that reading hostile files takes stays within its bounds."""

import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

READ = """
import sys
from r2d2.vmcost.events import read_logs
logs = read_logs(sys.argv[1:])
(app,) = logs.applications
# Not ru_maxrss: a child's begins at what its parent held when it was started.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(app.problems["line_too_long"], status["VmHWM"].split()[0])
"""
MOST_MIB = 600


def peak_mib(log: Path) -> tuple[int, int]:
    """Lines that were too long, and the most memory that reading the log took."""
    ended = subprocess.run(
        [sys.executable, "-c", READ, str(log)], capture_output=True, text=True, check=True
    )
    too_long, peak_kib = map(int, ended.stdout.split())
    return too_long, peak_kib // 1024


@pytest.mark.parametrize("beginning", [b"", b'{"Event":"SparkListenerTaskEnd","Stage ID":'])
def test_a_gigabyte_in_one_line_is_passed_over(beginning: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    start = b'{"Event":"SparkListenerApplicationStart","Timestamp":1,"App ID":"a"}\n'
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    with path.open("wb") as out:
        out.write(packer.compress(start + beginning))
        for _ in range(1024):
            out.write(packer.compress(b"0" * 2**20))
        out.write(packer.flush())
    too_long, peak = peak_mib(path)
    assert too_long == 1
    assert peak < MOST_MIB
