"""ORC: files that end what decodes them end no run."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from random import Random

import pyarrow as pa

import r2d2
from tests.support.formats.orc_files import orc_bytes

HARMLESS = """
import sys
import r2d2
graph = r2d2.find(sys.argv[1])
print(sum(table.unreadable for table in graph.tables), *sorted(graph.classes())[0])
"""


def test_a_file_that_ends_the_process_that_decodes_it_is_unreadable_and_no_more(
    tmp_path: Path,
) -> None:
    data = orc_bytes(pa.table({"x": [[1]] * 300}))
    # The lists' lengths: 300 times one; then one less 49 each time.
    assert data.count(b"\xc1\x2b\x01\x00") == 1
    (tmp_path / "t.orc").write_bytes(data.replace(b"\xc1\x2b\x01\x00", b"\xc1\x2b\x01\x61"))
    for name in ("good.orc", "same.orc"):
        (tmp_path / name).write_bytes(data)
    graph = r2d2.find(tmp_path)
    assert graph.classes() == (("good.orc", "same.orc"),)
    (reason,) = [table.problem for table in graph.tables if table.location == "t.orc"]
    assert "damaged" in str(reason)


def test_damaged_files_are_unreadable_and_disturb_no_others(tmp_path: Path) -> None:
    """In a process of its own, which is seen to live."""
    chance = Random(0)
    table = pa.table(
        {
            "i": range(200),
            "s": [f"n{n % 7}" if n % 5 else None for n in range(200)],
            "l": [[1, None]] * 200,
            "m": pa.array([[("k", 1.5)]] * 200, pa.map_(pa.string(), pa.float64())),
            "t": pa.array(range(200), pa.timestamp("ns")),
            "d": pa.array([Decimal(n) for n in range(200)], pa.decimal128(9, 2)),
        }
    )
    flips = 0
    for compression in ("uncompressed", "zlib", "zstd"):
        data = orc_bytes(table, compression=compression)
        (tmp_path / f"cut_{compression}.orc").write_bytes(data[:-9])
        for number in range(60):
            flipped = bytearray(data)
            start = 0 if number % 2 else len(data) - 400
            flipped[chance.randrange(max(0, start), len(data))] ^= 1 << chance.randrange(8)
            (tmp_path / f"flip_{compression}_{number}.orc").write_bytes(flipped)
            flips += 1
    for name in ("a good.orc", "a same.orc"):
        (tmp_path / name).write_bytes(orc_bytes(pa.table({"good": [1, 2, 3]})))
    for name, content in {"empty": b"", "magic": b"ORC", "text": b"x,y\n1,2\n"}.items():
        (tmp_path / f"{name}.orc").write_bytes(content)
    run = subprocess.run(
        [sys.executable, "-c", HARMLESS, str(tmp_path)],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert run.returncode == 0, run.stderr
    unreadable, *good = run.stdout.decode().split(maxsplit=1)
    assert int(unreadable) > flips / 4
    assert good == ["a good.orc a same.orc\n"]
