"""Times r2d2 beside what a user would write instead, on the same lakes in one run.

    python -m benchmarks [--lake dev|tpch|snapshots|snapshots-moving|shapes|pairs|drift|all]
                         [--runs 3] [--engines local,spark]
                         [--ways one_query,one_scan,gated,pairwise]
    python -m benchmarks --growth
    python -m benchmarks --counts [--gigabytes 0.3,3,10] [--engines local,spark] [--json]
    python -m benchmarks --warm [--lake dev] [--runs 3]
    python -m benchmarks --shuffled [--lake dev] [--runs 3]

Lakes are made once, under --work. Every figure is of a whole process, from start to end.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.compare import agreement, compare
from benchmarks.contenders import ALWAYS, WAYS, Contender, peer, r2d2, unavailable
from benchmarks.counts import GIGABYTES, Counted, count
from benchmarks.counts_report import counts_data, counts_text
from benchmarks.errors import BenchmarkError
from benchmarks.growth import SCALES, Grown, growth_table
from benchmarks.lakes import BenchmarkLake, known, lineitem, ready, size_bytes
from benchmarks.projection import BUSY, MEGABYTES_A_CORE_S, Assumed
from benchmarks.table import result_table

REPOSITORY = Path(__file__).parents[1]
ALL = ("dev", "tpch", "snapshots", "shapes", "pairs", "drift")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; 0, or 1 where something is missing or edges differ."""
    chosen = parser().parse_args(arguments)
    try:
        if chosen.warm or chosen.shuffled:
            return in_a_session(chosen)
        if chosen.counts:
            return scale_counts(chosen)
        return growth(chosen) if chosen.growth else beside(chosen)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1


def beside(chosen: argparse.Namespace) -> int:
    """Every contender on every lake chosen."""
    contenders = [*engines(chosen), *peers(chosen)]
    good = True
    for name, made in chosen_lakes(chosen).items():
        lake = ready(made)
        megabytes = size_bytes(lake) / 1e6
        outcomes = compare(lake, contenders, chosen.runs, chosen.once, chosen.work)
        print(
            f"\n{name}: {megabytes:.0f} MB, {os.cpu_count()} cores, in turns, median (least–most)"
        )
        print(result_table(outcomes), flush=True)
        good &= all(same == "same" for same in agreement(outcomes).values())
    return 0 if good else 1


def chosen_lakes(chosen: argparse.Namespace) -> dict[str, BenchmarkLake]:
    """The lakes asked for, by name."""
    lakes = known(chosen.work, chosen.shared)
    names = ALL if chosen.lake == "all" else (chosen.lake,)
    return {name: lakes[name] for name in names}


def growth(chosen: argparse.Namespace) -> int:
    """The first engine on lakes of three sizes."""
    contender = engines(chosen)[0]
    steps = []
    for scale in chosen.scales:
        lake = ready(lineitem(chosen.work, scale, f"lineitem {scale:g}"))
        size = size_bytes(lake)
        outcome = compare(lake, [contender], chosen.runs, chosen.once, chosen.work)[0]
        if outcome.failure:
            raise BenchmarkError(outcome.failure)
        steps.append(Grown(scale, size, outcome))
    print(f"\n{contender.name}, {os.cpu_count()} cores\n{growth_table(steps)}")
    return 0


def scale_counts(chosen: argparse.Namespace) -> int:
    """Core-seconds by size, by step and in all, their growth, and what they are at 1 and 100 TB."""
    available = [engine for engine in chosen.engines if not unavailable(engine)]
    if not available:
        raise BenchmarkError(f"none of {', '.join(chosen.engines)} can run here")
    assumed = Assumed(chosen.busy, chosen.core_megabytes)
    counts: list[Counted] = []
    stopped = ""
    try:
        counts.extend(
            count(
                *(chosen.gigabytes, available, chosen.work, chosen.runs, chosen.once),
                spark_gigabytes=chosen.spark_gigabytes,
                plans=not chosen.no_plan,
            )
        )
    except (BenchmarkError, KeyboardInterrupt) as error:
        # What took an hour to count is not lost with the size that fails.
        stopped = f"stopped early: {error or 'interrupted'}"
    if counts and chosen.json:
        print(json.dumps(counts_data(counts, assumed), indent=1))
    elif counts:
        print(counts_text(counts, assumed))
    if stopped:
        raise BenchmarkError(stopped)
    return 0


def in_a_session(chosen: argparse.Namespace) -> int:
    """Spark in a warm session beside the local engine: seconds, or what it shuffles."""
    from benchmarks.shuffled import shuffled_table
    from benchmarks.warm import warm_table

    table = shuffled_table if chosen.shuffled else warm_table
    for name, lake in chosen_lakes(chosen).items():
        print(f"\n{name}, {os.cpu_count()} cores, in turns, median (least–most)")
        print(table(ready(lake).folder, chosen.runs), flush=True)
    return 0


def engines(chosen: argparse.Namespace) -> list[Contender]:
    """r2d2's engines that can run here; says why where one cannot."""
    found = []
    for engine in chosen.engines:
        reason = unavailable(engine)
        if reason:
            print(f"without r2d2 {engine}: {reason}", file=sys.stderr)
        else:
            found.append(r2d2(engine))
    return found


def peers(chosen: argparse.Namespace) -> list[Contender]:
    """The peer's ways; says so where the peer is not there."""
    script = chosen.peer or chosen.shared / "peers/duckdb_peer.py"
    if not script.is_file():
        print(f"without DuckDB: no peer at {script}; give --peer or --shared", file=sys.stderr)
        return []
    return [peer(script, way) for way in WAYS if way in chosen.ways]


def names(text: str) -> tuple[str, ...]:
    """The names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parser() -> argparse.ArgumentParser:
    """The command line."""
    options = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    lakes = ["all", *known(Path(), Path())]
    options.add_argument("--lake", choices=lakes, default="all")
    options.add_argument("--engines", type=names, default=("local",), metavar="NAMES")
    options.add_argument("--ways", type=names, default=ALWAYS, metavar="NAMES")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--once", type=float, default=60.0, help="runs longer than this: one only")
    options.add_argument("--growth", action="store_true", help="three sizes instead of contenders")
    options.add_argument("--warm", action="store_true", help="Spark's engine in a warm session")
    options.add_argument("--shuffled", action="store_true", help="bytes that Spark's engine moves")
    counts = options.add_argument_group("counts, by size of the lake")
    counts.add_argument("--counts", action="store_true", help="core-seconds a GB, and projected")
    counts.add_argument("--gigabytes", type=scales, default=GIGABYTES, metavar="NUMBERS")
    counts.add_argument("--spark-gigabytes", type=float, default=3.0, help="Spark's largest lake")
    counts.add_argument("--no-plan", action="store_true", help="find only")
    counts.add_argument("--busy", type=float, default=BUSY, help="share of cores' time, assumed")
    counts.add_argument(
        "--core-megabytes",
        type=float,
        default=MEGABYTES_A_CORE_S,
        help="MB/s of the object store for each core, assumed",
    )
    counts.add_argument("--json", action="store_true", help="counts as JSON")
    options.add_argument("--scales", type=scales, default=SCALES, metavar="NUMBERS")
    shared = Path(os.environ.get("R2D2_SHARED", REPOSITORY.parent / "shared"))
    options.add_argument("--shared", type=Path, default=shared, help="$R2D2_SHARED, ../shared")
    options.add_argument("--peer", type=Path, help="duckdb_peer.py; in --shared if not given")
    work = Path(tempfile.gettempdir()) / "r2d2-benchmarks"
    options.add_argument("--work", type=Path, default=work, help="for lakes and output")
    return options


def scales(text: str) -> tuple[float, ...]:
    """The numbers between commas."""
    return tuple(float(number) for number in names(text))


if __name__ == "__main__":
    sys.exit(main())
