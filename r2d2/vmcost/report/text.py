"""The report on a terminal: a line an application, or a screen for each of a few."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from r2d2.text_tables import aligned, by_number, duration, human_bytes, pluralize, printable
from r2d2.vmcost.report.bars import Bar, money_bars, time_bars, vm_bars
from r2d2.vmcost.report.figures import (
    UNKNOWN,
    Data,
    basis_text,
    candidate_text,
    cluster_text,
    count,
    damage_text,
    money,
    priced,
    problem_words,
    runs_text,
    share,
    started_text,
)
from r2d2.vmcost.report.owners import month_rows, trend_text

SIZES = (
    "spilled_memory", "spilled_disk", "input", "output", "shuffle_read", "shuffle_write",
    "peak_memory",
)  # fmt: skip
LISTED, IN_BRIEF, SHOWN, BAR, NAME = 50, 3, 5, 24, 60


def report_lines(report: Data, *, files: bool = False, verbose: bool = False) -> Iterator[str]:
    """One application in full; of more a table, and the dearest in brief, or all if `verbose`.

    `files` tells whether the report's files were written, to which it refers for the rest.
    """
    applications: Sequence[Data] = report["applications"]
    if not applications:
        yield "no application in these logs"
        return
    if damage := damage_text(applications):
        yield printable(damage)
    if len(applications) > 1:
        yield from _table(applications, files)
        for action in report.get("what_to_do", ())[:SHOWN]:
            runs = f" over {action['runs']:,} runs" if action["runs"] > 1 else " a run"
            yield f"  to do, {_short(action['name'])}: {_action(action, None, runs)}"
    dearest = sorted(applications, key=_weight, reverse=True)[:IN_BRIEF]
    shown = [a for a in applications if verbose or any(a is other for other in dearest)]
    for number, application in enumerate(shown):
        if number or len(applications) > 1:
            yield ""
        brief = len(applications) > 1 and not verbose
        yield from _application_lines(application, files, brief=brief)
    if len(applications) > len(shown):
        yield ""
        rest = _in_files("report.html and the CSV files", files)
        yield f"… and {len(applications) - len(shown):,} more ({rest})"
    yield from _owner_lines(report)
    pipeline = report.get("pipeline")
    if pipeline:
        yield ""
        yield f"pipeline: {pipeline['told']} ({pipeline['basis']})"
        rows = [_pipeline_row(job) for job in pipeline["jobs"]]
        yield from aligned([("  job", "on", "from", "to"), *rows])


def _owner_lines(report: Data) -> Iterator[str]:
    """The money by user and name, where there are several; and what changed over runs."""
    groups = [row for row in month_rows(report.get("chargeback", ())) if row["runs"]]
    if len(report["applications"]) > 1 and groups:
        rows = [
            (
                f"  {printable(row['by'])}",
                _short(row["key"]),
                runs_text(row),
                money(row["usd"]),
                share(row["share"]),
            )
            for row in groups[:LISTED]
        ]
        yield ""
        yield from aligned([("  charged to", "", "runs", "usd", "share"), *rows])
    for trend in report.get("trend", ())[:SHOWN]:
        yield f"  over runs of {_short(trend['name'])}: {trend_text(trend)}"


def _pipeline_row(job: Data) -> tuple[str, str, str, str]:
    vm = f"{printable(job['vm'])} no. {job['rental'] + 1}"
    return f"  {printable(job['job'])}", vm, duration(job["start_s"]), duration(job["end_s"])


def _in_files(names: str, files: bool) -> str:
    return f"see {names}" if files else f"--out DIR writes {names}"


def _application_lines(application: Data, files: bool, *, brief: bool = False) -> Iterator[str]:
    """One application: what ran, what it cost, what that went into, and what to do about it.

    In brief without its task time and stages.
    """
    yield from _head_lines(application)
    yield from _to_do_lines(application, 1 if brief else IN_BRIEF)
    yield from _waste_lines(application)
    if not brief:
        yield from _time_lines(application)
        yield from _logged_lines(application["logged"])
        yield from _stage_lines(application, files)
    for advice in application["advice"]:
        if not brief and (advice.get("saving_usd") or 0) > 0:
            continue  # it is among what to do
        kind, text = problem_words(advice["kind"]), advice["told"]
        basis = basis_text(advice["basis"], application["prices"])
        yield f"  {printable(kind)}: {printable(text)} ({printable(basis)})"
    for name, times in sorted(application["problems"].items()):
        text = "" if times == 1 else f": {times:,}"
        yield f"  in the log: {printable(problem_words(name))}{text}"


def _table(applications: Sequence[Data], files: bool) -> Iterator[str]:
    known = [a["usd"] for a in applications if a["usd"] is not None]
    prices = [price for a in applications for price in a["prices"]]
    total = f"{money(sum(known))} {priced(prices)}" if known else "no money known"
    unknown = len(applications) - len(known)
    without = f", {unknown:,} without a price" if known and unknown else ""
    yield f"{pluralize(len(applications), 'application')}, {total}{without}"
    heads = ("application", "attempt", "duration", "core-seconds", "busy", "usd", "name")
    most = max(known, default=None)
    rows = [
        (
            printable(a["application_id"]),
            printable(a["attempt"] or ""),
            duration(a["duration_s"]),
            count(a["core_seconds"]),
            share(a["busy_fraction"]),
            money(a["usd"], most),
            _short(a["name"]),
        )
        for a in applications[:LISTED]
    ]
    yield from aligned([heads, *rows])
    if len(applications) > LISTED:
        rest = _in_files("applications.csv", files)
        yield f"… and {len(applications) - LISTED:,} more ({rest})"
    if known:
        yield from _unpriced_lines([a for a in applications if a["usd"] is None])


def _unpriced_lines(applications: Sequence[Data]) -> Iterator[str]:
    """The reasons why applications have no price, the most frequent first, each with one."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for application in applications:
        reasons[application["why"] or "nothing is known of prices"].append(
            application["application_id"]
        )
    for reason, ids in sorted(reasons.items(), key=lambda item: -len(item[1]))[:SHOWN]:
        named = f"{ids[0]} and {len(ids) - 1:,} more" if len(ids) > 1 else ids[0]
        yield f"without a price: {printable(named)}: {printable(reason)}"


def _head_lines(application: Data) -> Iterator[str]:
    attempt = f", attempt {printable(application['attempt'])}" if application["attempt"] else ""
    yield (
        f"{_short(application['name'])} ({printable(application['application_id'])}{attempt},"
        f" Spark {printable(application['spark_version'])})"
    )
    yield (
        f"  measured: {duration(application['duration_s'])} from {started_text(application)};"
        f" {pluralize(count(application['core_seconds']), 'core-second')},"
        f" {share(application['busy_fraction'])} busy; {pluralize(application['tasks'], 'task')}"
    )
    if application["usd"] is None:
        yield f"  no money: {printable(application['why'] or 'nothing is known of prices')}"
        yield from _candidate_lines(application["candidates"])
    else:
        priced_text = priced(application["prices"])
        fees = _fees(application)
        yield f"  {money(application['usd'])} {priced_text}: {_machines(application)}{fees}"
        month = application.get("usd_per_month")
        if month is not None:
            runs = month / application["usd"] if application["usd"] else 0
            yield f"  {money(month)} a month at {runs:,.0f} runs (runs_per_month in [report])"
    if application["not_included"]:
        yield f"  not included: {printable('; '.join(application['not_included']))}"
    energy = application["energy"]
    if energy:
        yield f"  {printable(energy['told'])} (modelled by {printable(energy['source'])})"


def _fees(application: Data) -> str:
    """The part of the money that is fees; empty without any."""
    usd, whole = application.get("fees_usd"), application["usd"]
    return f"; {money(usd, whole)} of it fees" if usd else ""


def _to_do_lines(application: Data, most: int) -> Iterator[str]:
    """What would cost less, the largest saving first."""
    whole = application["usd"]
    for action in application.get("what_to_do", ())[:most]:
        yield f"  to do: {_action(action, whole, ' a run')}"


def _action(action: Data, whole_usd: float | None, times: str) -> str:
    saving = money(action["saving_usd"], whole_usd)
    bound = "at most " * (action["basis"] == "at most")
    told = printable(f"{problem_words(action['kind'])}: {action['told']}")
    return f"save {bound}{saving}{times}, {money(action['saving_usd_per_month'])} a month: {told}"


def _candidate_lines(candidates: Sequence[Data]) -> Iterator[str]:
    for candidate in candidates[:SHOWN]:
        price = f"{money(candidate['usd_per_hour'])} an hour"
        yield f"    fits: {printable(candidate_text(candidate))} at {price}"
    if len(candidates) > SHOWN:
        more = len(candidates) - SHOWN
        yield f"    … and {pluralize(more, 'more machine')} that {by_number(more, 'fits', 'fit')}"


def _machines(application: Data) -> str:
    cluster = application["cluster"]
    source = f" (told by {cluster['source']})" if cluster else ""
    return printable(cluster_text(cluster) + source)


def _waste_lines(application: Data) -> Iterator[str]:
    whole, bars = application["usd"], money_bars(application)
    if bars:
        amounts = [money(bar.amount, whole) for bar in bars]
        yield from _bar_lines("the money, priced", "usd", bars, amounts)
        return
    bars = vm_bars(application)
    amounts = [duration(bar.amount) for bar in bars]
    yield from _bar_lines("VM time, measured", "time", bars, amounts)


def _time_lines(application: Data) -> Iterator[str]:
    bars = time_bars(application)
    amounts = [duration(bar.amount) for bar in bars]
    yield from _bar_lines("task time, measured", "time", bars, amounts)


def _bar_lines(title: str, unit: str, bars: Sequence[Bar], amounts: Sequence[str]) -> Iterator[str]:
    """A row a bar that is not nothing."""
    rows = [
        (f"  {bar.label}", amount, share(bar.share), "█" * round(bar.length * BAR))
        for bar, amount in zip(bars, amounts, strict=True)
        if bar.amount
    ]
    if rows:
        yield from aligned([(f"  {title}", unit, "share", ""), *rows])


def _logged_lines(logged: Data) -> Iterator[str]:
    """The figures as the log has them."""
    sizes = {name: human_bytes(logged[f"{name}_bytes"]) for name in SIZES}
    asked = logged["executor_memory_bytes"]
    memory = "unknown" if asked is None else human_bytes(asked)
    seen = logged.get("used_memory_bytes")
    used = f", seen in its JVM {human_bytes(seen)}" if seen else ""
    yield (
        f"  as the log has it: run {duration(logged['run_s'])}, CPU {duration(logged['cpu_s'])},"
        f" garbage collection {duration(logged['gc_s'])}; spilled {sizes['spilled_memory']} of"
        f" memory, {sizes['spilled_disk']} on disk; read {sizes['input']}, wrote"
        f" {sizes['output']}; shuffle read {sizes['shuffle_read']}, wrote {sizes['shuffle_write']};"
        f" peak memory of a task {sizes['peak_memory']}, asked for an executor {memory}{used}"
    )


def _stage_lines(application: Data, files: bool) -> Iterator[str]:
    stages = [stage for stage in application["by_stage"] if stage["stage"] is not None]
    stages.sort(key=_weight, reverse=True)
    rows = [
        (
            f"  {stage['stage']}.{stage['attempt']}",
            money(stage["usd"], application["usd"]),
            duration(stage["task_s"]),
            f"{stage['tasks']:,}",
            human_bytes(stage["spilled_bytes"]),
            _spread(stage),
            _short(stage["name"]),
        )
        for stage in stages[:SHOWN]
    ]
    if rows:
        spread = "median / p95 / max task"
        heads = ("  stage", "priced", "task time", "tasks", "spilled", spread, "name")
        yield from aligned([heads, *rows])
        if len(stages) > SHOWN:
            more = pluralize(len(stages) - SHOWN, "more stage")
            yield f"  … and {more} ({_in_files('stages.csv', files)})"


def _spread(stage: Data) -> str:
    """The median, p95 and longest time of its tasks."""
    if stage.get("task_median_s") is None:
        return UNKNOWN
    keys = ("task_median_s", "task_p95_s", "task_max_s")
    return " / ".join(duration(stage[key]) for key in keys)


def _weight(row: Data) -> tuple[float, float]:
    return row["usd"] or 0.0, row.get("task_s", row.get("core_seconds", 0.0))


def _short(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= NAME else shown[: NAME - 1] + "…"
