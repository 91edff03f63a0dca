"""Hostile and damaged input: the table is named with its reason, and all others go on."""

import csv
import gzip
import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from r2d2.errors import EXIT_OK, EXIT_SOME_UNREADABLE
from tests.support.oracle.asking import Answer, ask, find
from tests.support.oracle.files import AtFirstScan, one, text, write

GOOD = {("good.parquet", "copy.parquet"), ("copy.parquet", "good.parquet")}
MEMORY_BYTES = 1 << 30


def good_tables(lake: Path) -> None:
    """Two equal tables that nothing beside them may disturb."""
    write(lake, good=one([1, 2, 3]), copy=one([3, 2, 1]))


def check_good(answer: Answer) -> None:
    """The two good tables are each other's, and no table with a problem has an edge."""
    assert answer.edges.keys() >= GOOD
    assert not {name for pair in answer.edges for name in pair} & answer.problems.keys()
    assert not {"good.parquet", "copy.parquet"} & answer.problems.keys()


def python(*arguments: str | Path) -> "subprocess.CompletedProcess[bytes]":
    """This Python's run with this path, of two minutes at most."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def command(*arguments: str | Path) -> "subprocess.CompletedProcess[bytes]":
    """The command line's run."""
    return python("-m", "r2d2", *arguments)


def parquet_bytes(tmp_path: Path, table: pa.Table, **settings: object) -> bytes:
    """A Parquet file's bytes."""
    pq.write_table(table, tmp_path / "made", **settings)
    return (tmp_path / "made").read_bytes()


def truncated(data: bytes) -> dict[str, bytes]:
    """A file cut at every place that matters, and other things that are no Parquet file."""
    return {
        "zero.parquet": b"",
        "magic.parquet": b"PAR1",
        "two_magics.parquet": b"PAR1PAR1",
        "half.parquet": data[: len(data) // 2],
        "one_short.parquet": data[:-1],
        "headless.parquet": data[4:],
        "footer_gone.parquet": data[:-60] + data[-8:],
        "footer_too_long.parquet": data[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1",
        "footer_negative.parquet": data[:-8] + struct.pack("<I", 2**32 - 1) + b"PAR1",
        "footer_zero.parquet": data[:-8] + struct.pack("<I", 0) + b"PAR1",
        "encrypted.parquet": data[:-4] + b"PARE",
        "zeros.parquet": bytes(len(data)),
        "csv.parquet": b"x\n1\n2\n3\n",
        "body_gone.parquet": b"PAR1" + bytes(len(data) // 2) + data[len(data) // 2 + 4 :],
    }


def test_a_parquet_file_that_is_not_whole_is_named_with_its_reason(
    tmp_path: Path, engine: str
) -> None:
    lake = tmp_path / "lake"
    good_tables(lake)
    damaged = truncated(parquet_bytes(tmp_path, one([1, 2, 3])))
    for name, data in damaged.items():
        (lake / name).write_bytes(data)
    answer = ask(lake, engine)
    check_good(answer)
    allowed = {"headless.parquet", "body_gone.parquet"}
    assert answer.unreadable >= damaged.keys() - allowed
    assert all(answer.problems[name] for name in answer.unreadable)


def test_the_exit_code_says_that_a_table_was_unreadable(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    good_tables(lake)
    fine = command("find", lake, "--json")
    assert fine.returncode == EXIT_OK, fine.stderr
    (lake / "zero.parquet").write_bytes(b"")
    run = command("find", lake, "--out", tmp_path / "out")
    assert run.returncode == EXIT_SOME_UNREADABLE, run.stderr
    assert b"zero.parquet" in run.stdout
    assert command("tables", lake).returncode == EXIT_SOME_UNREADABLE
    lines = (tmp_path / "out" / "edges.csv").read_text().splitlines()
    columns = "child,parent,fraction,missing_rows,child_rows,parent_rows,equal,stage,unmatched"
    assert lines[0] == columns
    assert {tuple(line.split(",")[:2]) for line in lines[1:]} == GOOD


def test_flipped_bits_disturb_no_other_table(tmp_path: Path) -> None:
    """In a process of its own: pyarrow's footers throw where Python cannot catch it."""
    lake, chance = tmp_path / "lake", Random(0)
    good_tables(lake)
    flat = parquet_bytes(tmp_path, pa.table({"x": [1, 2, 3], "y": ["a", "b", None]}))
    nested = pa.table({"x": [[1, 2], None, []] * 9, "y": [{"a": 1.5}, None, {"a": None}] * 9})
    footer = len(flat) - 8 - int.from_bytes(flat[-8:-4], "little")
    flips = [(flat, footer + place, bit) for place, bit in ((149, 2), (20, 1), (28, 8))]
    for data, start, count in ((flat, footer, 400), (parquet_bytes(tmp_path, nested), 4, 400)):
        places = (chance.randrange(start, len(data)) for _ in range(count))
        flips += [(data, place, 1 << chance.randrange(8)) for place in places]
    for number, (data, place, bit) in enumerate(flips):
        flipped = bytearray(data)
        flipped[place] ^= bit
        (lake / f"flipped{number}.parquet").write_bytes(flipped)
    answer, _ = in_a_process(lake)
    check_good(answer)
    assert len(answer.unreadable) > 200


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_bit_flipped_under_a_page_checksum_never_gives_another_answer(
    tmp_path: Path, engine: str, version: str
) -> None:
    lake, chance = tmp_path / "lake", Random(version)
    good_tables(lake)
    table = pa.table({"z": list(range(300)), "t": [f"{n % 7}" for n in range(300)]})
    settings = {"write_page_checksum": True, "data_page_version": version, "compression": "none"}
    data = parquet_bytes(tmp_path, table, **settings, write_page_index=False)
    (lake / "whole.parquet").write_bytes(data)
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    places = [chance.randrange(4, start) for _ in range(60)]
    for number, place in enumerate(places):
        flipped = bytearray(data)
        flipped[place] ^= 1 << chance.randrange(8)
        (lake / f"flipped{number}.parquet").write_bytes(flipped)
    answer = ask(lake, engine, min_fraction=1e-9)
    check_good(answer)
    names = {f"flipped{number}.parquet" for number in range(60)}
    readable = names - answer.unreadable
    assert len(readable) < 20
    for name in readable:
        assert answer.edges.get((name, "whole.parquet")) == (1.0, 0), name
        assert answer.edges.get(("whole.parquet", name)) == (1.0, 0), name


def test_a_parquet_bomb_does_not_go_off(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    good_tables(lake)
    zeros = one([0] * (1 << 20))
    options = {"compression": "zstd", "use_dictionary": False}
    with pq.ParquetWriter(lake / "bomb.parquet", zeros.schema, **options) as writer:
        for _ in range(256):
            writer.write_table(zeros)
    assert (lake / "bomb.parquet").stat().st_size < 2 << 20
    answer = in_little_memory(lake)
    check_good(answer)
    assert answer.problems.keys() <= {"bomb.parquet"}


@pytest.mark.parametrize("name", ["bomb.csv.zst", "bomb.csv.gz", "bomb.jsonl.zst"])
def test_a_text_bomb_does_not_go_off(tmp_path: Path, name: str) -> None:
    lake = tmp_path / "lake"
    good_tables(lake)
    text(lake, partner_csv="x\n1\n")
    content = (b'{"x": "' if "json" in name else b"x\n") + b"a" * (1 << 20)
    (lake / name).write_bytes(_repeated(name, content, 1024))
    assert (lake / name).stat().st_size < 2 << 20
    answer = in_little_memory(lake)
    check_good(answer)
    assert answer.unreadable == {name}


def _repeated(name: str, first: bytes, times: int) -> bytes:
    """The first block and `times` MiB of its last letter, compressed as the name says."""
    more = b"a" * (1 << 20)
    if name.endswith(".gz"):
        member = gzip.compress(more)
        return gzip.compress(first) + member * times
    compressor = zstandard.ZstdCompressor().compressobj()
    pieces = [compressor.compress(first), *(compressor.compress(more) for _ in range(times))]
    return b"".join(pieces) + compressor.flush()


def in_little_memory(lake: Path) -> Answer:
    """The local engine's answer, from a process of its own that took at most 1 GiB."""
    answer, peak_bytes = in_a_process(lake)
    assert peak_bytes < MEMORY_BYTES, f"{peak_bytes / 2**20:.0f} MiB"
    return answer


def in_a_process(lake: Path) -> tuple[Answer, int]:
    """The answer of a process of its own, which may well die, and the memory that it took."""
    script = (
        "import pickle, resource, sys; from pathlib import Path\n"
        "from tests.support.oracle.asking import ask\n"
        "answer = ask(Path(sys.argv[1]), threads=2)\n"
        # Not ru_maxrss: a child's begins at what its parent held when it was started.
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "peak_bytes = int(status['VmHWM'].split()[0]) * 1024\n"
        "Path(sys.argv[2]).write_bytes(pickle.dumps((answer, peak_bytes)))\n"
    )
    result = lake.with_name("answer")
    run = python("-c", script, lake, result)
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    answer, peak_bytes = pickle.loads(result.read_bytes())
    assert isinstance(answer, Answer)
    return answer, peak_bytes


def test_a_footer_that_declares_more_rows_than_there_are_is_refused(
    tmp_path: Path, engine: str
) -> None:
    lake = tmp_path / "lake"
    good_tables(lake)
    data = parquet_bytes(tmp_path, one(list(range(1000))), use_dictionary=False)
    rows = _zigzag(1000)
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    body, footer = data[:start], data[start:]
    assert rows in footer
    for name, count in (("one_more", 1001), ("many_more", 8000)):
        (lake / f"{name}.parquet").write_bytes(body + footer.replace(rows, _zigzag(count)))
    answer = ask(lake, engine)
    check_good(answer)
    assert answer.unreadable == {"one_more.parquet", "many_more.parquet"}


def _zigzag(number: int) -> bytes:
    """The number as thrift's compact protocol writes it."""
    number *= 2
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def test_files_that_may_not_be_read_are_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In a process that gives root's rights away, where it has them."""
    lake = tmp_path_factory.mktemp("lake")
    for folder in (lake, *lake.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    good_tables(lake)
    write(lake, closed=one([1, 2, 3]))
    text(lake, closed_csv="x\n1\n")
    write(lake / "closed_folder", inner=one([1, 2, 3]))
    write(lake / "p" / "k=1", x=one([1, 2]))
    write(lake / "p" / "k=2", x=one([3]))
    write(lake / "d", x=one([1, 2, 3]))
    text(lake / "d" / "_delta_log", **{"00000000000000000000_json": "{}"})
    folders = [lake / name for name in ("closed_folder", "p/k=2", "d/_delta_log")]
    for path in (lake / "closed.parquet", lake / "closed.csv", *folders):
        path.chmod(0)
    script = (
        "import json, os, sys; from pathlib import Path\n"
        "from r2d2 import tables\n"
        "from tests.support.oracle.asking import ask\n"
        "from tests.support.oracle.files import one, write\n"
        "ask(Path(sys.argv[2]))\n"
        "os.getuid() or os.setgroups([]) or os.setgid(65534) or os.setuid(65534)\n"
        "answer = ask(Path(sys.argv[1]))\n"
        "owners = tables(Path(sys.argv[1])).owners\n"
        "told = [sorted(answer.edges), answer.problems, sorted(answer.unreadable), owners]\n"
        "print(json.dumps(told))\n"
    )
    warm = tmp_path_factory.mktemp("warm")
    good_tables(warm)
    text(warm, a_csv="x\n1\n")
    run = python("-c", script, lake, warm)
    for folder in folders:
        folder.chmod(0o755)
    assert run.returncode == 0, run.stderr.decode()
    found, problems, unreadable, owners = json.loads(run.stdout)
    assert {tuple(pair) for pair in found} == GOOD
    assert unreadable == ["closed.csv", "closed.parquet", "closed_folder", "d", "p"]
    assert all("ermission denied" in problem for problem in problems.values())
    assert owners["not_listed"] == ["closed_folder", "d/_delta_log", "p/k=2"]
    assert [entry["metadata"] for entry in owners["unresolved"]] == ["d/_delta_log"]


VICTIMS = ("victim.parquet", "victim.csv", "victim.jsonl")


@pytest.mark.parametrize("what", ["vanishes", "grows", "is replaced", "becomes a folder"])
def test_a_file_that_changes_in_mid_run_makes_its_table_unreadable(
    tmp_path: Path, engine: str, what: str
) -> None:
    good_tables(tmp_path)
    for name in VICTIMS:
        _written(tmp_path / name, 1)
        _written(tmp_path / name.replace("victim", "twin"), 1)
        _written(tmp_path / f"{name}.other", 2)

    def change() -> None:
        for name in VICTIMS:
            victim = tmp_path / name
            if what == "grows":
                victim.write_bytes(victim.read_bytes() + b"\n")
            elif what == "is replaced":
                os.replace(f"{victim}.other", victim)
            else:
                victim.unlink()
                if what == "becomes a folder":
                    victim.mkdir()

    graph = find(tmp_path, engine, progress=AtFirstScan(change))
    unreadable = {table.location for table in graph.tables if table.unreadable}
    assert unreadable == {*VICTIMS}
    names = {name for edge in graph.edges for name in (edge.child, edge.parent)}
    assert not names & unreadable
    assert {(edge.child, edge.parent) for edge in graph.edges} >= GOOD


def _written(file: Path, value: int) -> None:
    if ".parquet" in file.name:
        # Too large to be kept from the inventory, which would be as good a snapshot.
        letters = [f"{value}{number * 2_654_435_761 % 2**32}" for number in range(200_000)]
        pq.write_table(pa.table({"k": letters}), file, compression="none", use_dictionary=False)
    elif ".csv" in file.name:
        file.write_text(f"k\n{value}\nb\n")
    else:
        file.write_text(f'{{"k": "{value}"}}\n{{"k": "b"}}\n')


BAD_TEXT = {
    "cut.csv.gz": gzip.compress(b"x\n" + b"1\n" * 5000)[:-12],
    "no_gzip.csv.gz": b"x\n1\n",
    "cut.csv.zst": zstandard.compress(b"x\n" + b"1\n" * 5000)[:-5],
    "flipped.csv.gz": gzip.compress(b"x\n" + b"1\n" * 50)[:-8] + b"\0" * 8,
    "cut.jsonl": b'{"x": "1"}\n{"x": "2',
    "no_object.jsonl": b'{"x": "1"}\n[1, 2]\n',
    "no_json.jsonl": b'{"x": "1"}\nhello\n',
    "bytes.jsonl": b'{"x": "\xff\xfe"}\n',
    "open_quote.csv": b'x,y\n"1",2\n"3",4\n"5,6\n',
    "binary.csv": bytes(range(256)) * 20,
}


def test_text_that_is_not_what_its_name_says_is_named_with_its_reason(
    tmp_path: Path, engine: str
) -> None:
    good_tables(tmp_path)
    text(tmp_path, partner_csv="x\n7\n", partners_csv="x,y\n8,9\n")
    for name, data in BAD_TEXT.items():
        (tmp_path / name).write_bytes(data)
    answer = ask(tmp_path, engine)
    check_good(answer)
    assert answer.edges.keys() == GOOD
    assert answer.problems.keys() == BAD_TEXT.keys()


def test_text_files_without_a_byte_disturb_nobody(tmp_path: Path, engine: str) -> None:
    good_tables(tmp_path)
    for name in ("zero.csv", "zero.jsonl", "zero.tsv", "newline.csv", "newline.jsonl"):
        (tmp_path / name).write_bytes(b"\n" if name.startswith("newline") else b"")
    answer = ask(tmp_path, engine)
    check_good(answer)
    assert answer.edges.keys() == GOOD


def test_a_damaged_part_makes_its_whole_table_unreadable(tmp_path: Path, engine: str) -> None:
    good_tables(tmp_path)
    write(tmp_path / "hive" / "p=1", part=one([1, 2]))
    write(tmp_path / "hive" / "p=2", part=one([3]))
    part = tmp_path / "hive" / "p=2" / "part.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    answer = ask(tmp_path, engine)
    assert answer.edges.keys() == GOOD
    assert answer.unreadable == {"hive"}


def test_special_files_are_no_tables(tmp_path: Path, engine: str) -> None:
    good_tables(tmp_path)
    os.mkfifo(tmp_path / "pipe.parquet")
    os.mkfifo(tmp_path / "pipe.csv")
    answer = ask(tmp_path, engine)
    assert answer.edges.keys() == GOOD


def test_names_that_are_no_unicode_are_named(tmp_path: Path, engine: str) -> None:
    good_tables(tmp_path)
    write(tmp_path / "sub", x=one([1, 2, 3]))
    os.rename(os.fsencode(tmp_path / "sub"), os.fsencode(tmp_path) + b"/caf\xe9")
    answer = ask(tmp_path, engine)
    check_good(answer)
    assert answer.edges.keys() == GOOD


def test_hostile_names_are_written_whole_to_every_output(tmp_path: Path) -> None:
    lake, out = tmp_path / "lake", tmp_path / "out"
    names = ['a"b', "a,b", "a\nb", "=cmd()", "<script>alert(1)</script>", "\x1b[31mred", "-rf"]
    for name in names:
        write(lake / name.replace("/", "\u2215"), x=one([1]))
    run = command("find", lake, "--out", out, "--json")
    assert run.returncode == EXIT_OK, run.stderr
    data = json.loads((out / "graph.json").read_text())
    located = {f"{name.replace('/', chr(0x2215))}/x.parquet" for name in names}
    assert located <= set(_strings(data))
    with (out / "edges.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    # An apostrophe is before what a spreadsheet would run.
    pairs = {(row["child"].removeprefix("'"), row["parent"].removeprefix("'")) for row in rows}
    assert pairs == {(a, b) for a in located for b in located if a != b}
    assert b"\x1b" not in command("find", lake).stdout


def _strings(data: object) -> list[str]:
    if isinstance(data, dict):
        return [text for item in data.items() for part in item for text in _strings(part)]
    if isinstance(data, list):
        return [text for part in data for text in _strings(part)]
    return [data] if isinstance(data, str) else []
