"""A plan in lines of text, the largest savings first; differences of plans, the gravest first."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby, repeat
from math import ceil
from operator import attrgetter
from typing import Any

from r2d2.cli.find_text import owner_lines
from r2d2.plan.costs import has_sql
from r2d2.plan.diff import Difference
from r2d2.plan.plan_file import cheapest, headline, kept_kind, pays_told
from r2d2.plan.plan_form import Data
from r2d2.recipes.json import from_data
from r2d2.recipes.words import recipe_words, survival_told
from r2d2.settings import is_among
from r2d2.settings.plan import Prices
from r2d2.text_tables import (
    TOP_FOLDER,
    aligned,
    by_number,
    duration,
    human_bytes,
    listed,
    pluralize,
    printable,
    shell_word,
    usd,
    visible,
)

SHOWN = 20
REWRITE_TOLD = (
    "* comes back only while its parent's files are not sorted or compacted"
    " (of Delta: while the plan's version is there)"
)
FOLDERS = 10
NAMED = 3
LONGEST_VALUE = 60


def plan_lines(
    plan: Data, place: str = "run", written: Sequence[str] = (), *, verbose: bool = False
) -> Iterator[str]:
    """The plan's result, the largest savings first; then the commands that go on from there.

    `place` is the plan's file or the folder of its run, "" of a plan that is in no file; `written`
    are the lines that say where files are.
    """
    totals, solver = plan["totals"], plan["solver"]
    deleted = [table for table in plan["tables"] if table["choice"] == "delete"]
    yield headline(plan)
    yield from _over_time(plan)
    if totals["residual_bytes"]:
        yield f"{human_bytes(totals['residual_bytes'])} are kept aside for recipes, and paid for"
    if solver["options"]:
        yield (
            f"{cheapest(solver)} of {pluralize(solver['options'], 'recipe')}"
            f"{_views(solver['views'])}, at {_prices_told(plan['settings']['prices'])};"
            f" solved by {solver['name']} ({solver['version']})"
        )
    if deleted:
        yield ""
        yield from _deletions(deleted, SHOWN * (5 if verbose else 1))
        yield from _folder_lines(plan["tables"])
    yield ""
    yield from _kept_lines(plan)
    yield from _copies_lines(deleted)
    yield from _passes_line(totals["passes_over_parents"])
    yield from filter(None, [pays_told(plan)])
    yield from owner_lines(plan["owners"])
    for warning in plan["warnings"]:
        yield f"warning: {printable(warning)}"
    yield from written
    if not place:
        return
    yield ""
    steps = [
        (f"r2d2 plan show {shell_word(place)}", "all decisions; --sort bytes, --choice keep, --csv")
    ]
    if deleted:
        first = max(deleted, key=lambda table: (table["saving_usd_per_month"], table["table"]))
        check = (
            f"r2d2 check {shell_word(place if place.endswith('.json') else f'{place}/plan.json')}"
        )
        steps.append((check, "whether it still holds, before anything is deleted"))
        why = f"r2d2 plan --run {shell_word(place)} --explain {shell_word(first['table'])}"
        if not place.endswith(".json"):
            steps.insert(1, (why, "why, and how it comes back"))
            steps.append((f"r2d2 report {shell_word(place)}", "all of it as a page to look at"))
    steps += _view_steps(plan, deleted, place)
    for begin, line in zip(chain(("next: ",), repeat("      ")), aligned(steps), strict=False):
        yield begin + line


def _view_steps(plan: Data, deleted: Sequence[Data], place: str) -> Iterator[tuple[str, str]]:
    """The commands that show a view of the plan and make all of them; none where it has none."""
    views = sorted(table["table"] for table in deleted if table["way"] == "view")
    if views:
        flag = "--plan" if place.endswith(".json") else "--run"
        shown = f"r2d2 recipe show {shell_word(views[0])} {flag} {shell_word(place)}"
        yield f"{shown} --dialect spark", "a view that its readers need; `apply` makes none"
        made = f"makes {pluralize(len(views), 'view')} in Spark's catalogue, after `apply`"
        yield f"spark-submit jobs/catalogue.py settle {shell_word(plan['lake'])}", made


def compared_line(there: Data, made: Data, place: str) -> str:
    """The difference that a what-if makes to the plan that is there."""
    deleted, saved = (
        made["totals"][key] - there["totals"][key] for key in ("deleted", "saving_usd_per_month")
    )
    more = "more" if saved > 0 else "less"
    saves = f"{usd(abs(saved))} {more} saved a month" if saved else "as much saved a month"
    goes = "as many tables deleted"
    if deleted:
        more = "more" if deleted > 0 else "fewer"
        goes = f"{pluralize(abs(deleted), f'{more} table')} deleted"
    return f"against {visible(place)}: {goes}, {saves}"


def _prices_told(prices: Data) -> str:
    """The day of the prices; where they are r2d2's own, how to give others."""
    if prices["source"] == Prices().source:
        return f"r2d2's default prices, of {prices['as_of']} (--config gives yours)"
    return f"prices of {prices['as_of']}"


def _passes_line(passes: Mapping[str, int]) -> Iterator[str]:
    """The parents that were read in passes, the most first; nothing where all fit the memory."""
    if passes:
        most = sorted(passes.items(), key=lambda item: (-item[1], item[0]))
        named = [f"{visible(parent)} {count}" for parent, count in most[:NAMED]]
        more = f" and {len(most) - NAMED:,} more" if len(most) > NAMED else ""
        yield f"passes over parents whose rows exceed the memory: {', '.join(named)}{more}"


def _start_up(rates: Data) -> str:
    """The part of a rebuild's time that is the machines' start, and who told it."""
    source = rates["source"] if rates["source"].startswith("profile") else "assumed"
    seconds = duration(rates["start_up_p95_s"])
    return f", {seconds} of it for starting ({printable(source)})"


def table_lines(plan: Data, name: str) -> Iterator[str]:
    """Everything that the plan says of one table; nothing where it has no such table."""
    for table in plan["tables"]:
        if table["table"] != name:
            continue
        yield f"{visible(name)}: {table['choice']}: {printable(table['reason'])}"
        yield f"  keeping it costs {usd(table['keep_usd_per_month'])} a month"
        yield _usage_line(table["usage"])
        limit_s = table["latency_limit_s"]
        if limit_s is not None:
            yield _limit_line(table, plan["settings"])
        if table["choice"] == "delete":
            evidence = table["evidence"]
            is_view = table["way"] == "view"
            doing = "reading its parents through a view" if is_view else "rebuilding it"
            yield f"  {doing} costs {usd(table['rebuild_usd_per_month'])} a month"
            yield from _bounds_line(table)
            yield _seconds_line(table["rebuild_p95_s"], is_view, plan["settings"]["rates"])
            may_be_view = _rule(plan["settings"], "view", name) and not evidence["residual_bytes"]
            if may_be_view and not has_sql(from_data(table["recipe"])):
                yield "  it is no view, as no SQL dialect can express its recipe"
            parents = ", ".join(map(visible, table["parents"]))
            yield f"  recipe: {table['recipe']['kind']} from {parents}"
            yield f"  that is: {printable(recipe_words(table['recipe'], show_values=True))}"
            for parent, words in evidence.get("survives", {}).items():
                told = survival_told(words)
                yield f"  when {visible(parent)} changes: {told}"
            if copy := table["copy_that_stays"]:
                told = f"{visible(copy['table'])}, which stays: {printable(copy['because'])}"
                yield f"  equal to {told}"
            if evidence["run"]:
                yield (
                    f"  run: {pluralize(evidence['rows'], 'row')}, equal value by value,"
                    f" in {duration(evidence['seconds'])}"
                )
            else:
                yield "  not run yet: what-if reads no data"
        else:
            rebuilt = [t["table"] for t in plan["tables"] if name in t["parents"]]
            for child in rebuilt[:SHOWN]:
                yield f"  {visible(child)} is rebuilt from it"


def _rule(settings: Data, section: str, name: str) -> Data | None:
    """The rule of the section that decides for the table: the last that matches it."""
    rules = [rule for rule in settings[section] if is_among(name, rule["tables"])]
    return rules[-1] if rules else None


def _limit_line(table: Data, settings: Data) -> str:
    """How long the table's readers may wait, through a view by its own limit, and who says so."""
    if table.get("way") == "view" and (rule := _rule(settings, "view", table["table"])):
        told = f"  a read through its view may take {duration(rule['limit_s'])} longer"
        return f"{told}, by [[view]] {visible(rule['tables'])}"
    told = f"  its readers may wait {duration(table['latency_limit_s'])}"
    if rule := _rule(settings, "limit", table["table"]):
        return f"{told}, by [[limit]] {visible(rule['tables'])}"
    if table["usage"]["unread"]:
        return f"{told}, the default for tables that nobody read for long"
    return f"{told}, the default"


def _seconds_line(seconds: float, is_view: bool, rates: Data) -> str:
    if not is_view:
        return f"  and takes {duration(seconds)} at p95{_start_up(rates)}"
    if not seconds:
        return "  and takes no longer than reading the table"
    return f"  and takes {duration(seconds)} more for each read at p95"


def _views(count: int) -> str:
    return f", of which {count:,} may be views" if count else ""


def _bounds_line(table: Data) -> Iterator[str]:
    least_usd, most_usd = (table[f"saving_at_{bound}_usd_per_month"] for bound in ("least", "most"))
    if least_usd == most_usd:
        return
    if least_usd >= 0:
        yield f"  its deletion saves {usd(least_usd)} to {usd(most_usd)}, as its reads are unknown"
    else:
        worst = f"costs {usd(-least_usd)} a month more than it saves if it is read often"
        yield f"  its deletion {worst}, and saves {usd(most_usd)} if never: its reads are unknown"


def _over_time(plan: Data) -> Iterator[str]:
    """The saving of a year, when the plan's own work is paid back, and what unknown reads cost."""
    totals, usage = plan["totals"], plan["settings"]["usage"]
    if totals["payback_months"] is not None:
        days = ceil(totals["payback_months"] * 365 / 12)
        within = "a day" if days <= 1 else f"{days:,} days"
        year_usd = usd(totals["saving_usd_per_year"])
        yield f"{year_usd} a year; the work of this plan is paid back within {within}"
    if unknown := totals["deleted_reads_assumed"]:
        most = max(usage["most_reads_per_month"], usage["reads_per_month"])
        yield (
            f"how often {_of_these(unknown, totals['deleted'])} read is not known:"
            f" {pluralize(format(usage['reads_per_month'], 'g'), 'read')} a month is assumed;"
            f" with {most:g} the plan {_saves(totals['saving_at_least_usd_per_month'])},"
            f" with none it {_saves(totals['saving_at_most_usd_per_month'])}"
        )


def _saves(amount_usd: float) -> str:
    """The verb and the amount.

    >>> _saves(3.0), _saves(-1.02)
    ('saves $3.00 a month', 'costs $1.02 a month more than it saves')
    """
    if amount_usd < 0:
        return f"costs {usd(-amount_usd)} a month more than it saves"
    return f"saves {usd(amount_usd)} a month"


def _of_these(count: int, total: int) -> str:
    """So many of the tables, with the verb.

    >>> _of_these(1, 1), _of_these(3, 3), _of_these(2, 3)
    ('it is', 'these 3 are', '2 of these 3 are')
    """
    if total == 1:
        return "it is"
    told = f"these {total:,}" if count == total else f"{count:,} of these {total:,}"
    return f"{told} {'are' if count > 1 or count == total else 'is'}"


def _usage_line(usage: Data) -> str:
    reads = pluralize(f"{usage['reads_per_month']:g}", "time")
    line = f"  it is read {reads} a month"
    if usage["assumed"]:
        line = f"  how often it is read is not known: counted as {reads} a month"
    if usage["last_read"]:
        line += f", last on {usage['last_read']}"
    if usage["consumers"] is not None:
        names = f" ({printable('; '.join(usage['consumer_names']))})"
        line += f", by {usage['consumers']}{names if usage['consumer_names'] else ''}"
    return line


def _deletions(deleted: list[Data], most: int) -> Iterator[str]:
    ordered = sorted(deleted, key=lambda t: (-t["saving_usd_per_month"], t["table"]))
    rows = [
        (
            visible(table["table"]),
            human_bytes(table["frees_bytes"]),
            usd(table["saving_usd_per_month"]),
            duration(table["rebuild_p95_s"]),
            table["recipe"]["kind"] + " view" * (table["way"] == "view") + _mark(table),
            _few(table["parents"]),
        )
        for table in ordered[:most]
    ]
    yield from aligned([("delete", "frees", "saves a month", "rebuild", "by", "from"), *rows])
    if len(ordered) > most:
        yield f"… and {len(ordered) - most:,} more"
    if any(map(_mark, ordered)):
        yield REWRITE_TOLD


def _mark(table: Data) -> str:
    """The mark of a recipe that is wrong once a parent's files are rewritten with the same rows."""
    survives = table["evidence"].get("survives", {}).values()
    return "*" if any(words.get("rewrite") == "never" for words in survives) else ""


def _folder_lines(tables: Sequence[Data]) -> Iterator[str]:
    """What goes in each top folder, the largest saving first; nothing where there is only one."""
    folders: dict[str, list[Data]] = defaultdict(list)
    for table in tables:
        top, slash, _ = table["table"].partition("/")
        folders[top if slash else TOP_FOLDER].append(table)
    if len(folders) < 2:
        return
    told = []
    for folder, entries in folders.items():
        gone = [table for table in entries if table["choice"] == "delete"]
        saving = sum(table["saving_usd_per_month"] for table in gone)
        freed = human_bytes(sum(table["frees_bytes"] for table in gone))
        if gone:
            count = f"{len(gone):,} of {len(entries):,}"
            told.append((-saving, folder, (visible(folder), count, freed, usd(saving))))
    yield ""
    rows = [cells for _, _, cells in sorted(told)[:FOLDERS]]
    yield from aligned([("folder", "deleted", "frees", "saves a month"), *rows])
    if len(told) > FOLDERS:
        yield f"… and {pluralize(len(told) - FOLDERS, 'more folder')}"


def _kept_lines(plan: Data) -> Iterator[str]:
    """The reasons why tables stay, the most frequent first; those of few tables name them."""
    kept: dict[str, list[str]] = defaultdict(list)
    for table in plan["tables"]:
        if table["choice"] == "keep":
            kept[kept_kind(table)].append(table["table"])
    ordered = sorted(kept.items(), key=lambda item: -len(item[1]))
    for reason, names in ordered[:SHOWN]:
        named = f" ({', '.join(map(visible, names))})" if len(names) <= NAMED else ""
        yield f"kept {len(names):,}: {printable(reason)}{named}"
    if len(ordered) > SHOWN:
        count = sum(len(names) for _, names in ordered[SHOWN:])
        yield f"kept {count:,}: for {len(ordered) - SHOWN:,} more reasons (see `plan show`)"


def _copies_lines(deleted: Sequence[Data]) -> Iterator[str]:
    """The copies that stay in place of equal ones: by the reason, or each with its reasons."""
    gone: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for table in deleted:
        if copy := table["copy_that_stays"]:
            gone[copy["table"]][copy["because"]].append(table["table"])
    alike: dict[str, list[str]] = defaultdict(list)
    for stays, reasons in sorted(gone.items()):
        told = [printable(because) for because in reasons]
        if len(reasons) > 1:
            told = [
                f"{printable(because)} ({_few(reasons[because])})" for because in sorted(reasons)
            ]
        alike["; ".join(told)].append(stays)
    ordered = sorted(alike.items(), key=lambda item: (-len(item[1]), item[0]))
    for because, names in ordered[:SHOWN]:
        stay = f"{_few(names)} {by_number(len(names), 'stays', 'stay')}"
        yield f"of equal copies {stay}: {because}"
    if len(ordered) > SHOWN:
        count = sum(len(names) for _, names in ordered[SHOWN:])
        yield f"of equal copies {count:,} more stay (see `--explain` of a deleted one)"


def _few(names: Sequence[str]) -> str:
    """The names, or the first of them and how many more there are."""
    shown = list(map(visible, names))
    if len(shown) > NAMED:
        shown = [*shown[: NAMED - 1], f"{len(shown) - NAMED + 1:,} more"]
    return listed(shown)


def diff_lines(changes: Sequence[Difference]) -> Iterator[str]:
    """The number of differences of each kind, and the first of each."""
    if not changes:
        yield "the plans are the same"
        return
    for kind, group in groupby(changes, attrgetter("kind")):
        differences = list(group)
        yield f"{kind.value}: {pluralize(len(differences), 'difference')}"
        for difference in differences[:SHOWN]:
            subject = " ".join(filter(None, (visible(difference.table), difference.key)))
            yield f"  {subject}: {_short(difference.old)} → {_short(difference.new)}"
        if len(differences) > SHOWN:
            yield f"  … and {len(differences) - SHOWN:,} more"


def _short(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = printable(text)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
