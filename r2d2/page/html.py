"""The page of a run, from its files."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from operator import attrgetter
from typing import Any

from markupsafe import Markup

from r2d2.lake.selection import is_as_asked
from r2d2.page import environment, render
from r2d2.page.families import TOP, Families, Total, Waste, families_of, folder_of, totals, waste_of
from r2d2.page.packed import own_problem, packed
from r2d2.page.run_files import Access, PageGraph, RunFiles, different
from r2d2.plan.graph_file import PLAN_NAME
from r2d2.plan.plan_file import cheapest, headline, kept_kind, pays_told
from r2d2.text_tables import TOP_FOLDER, by_number, pluralize, visible

Data = Mapping[str, Any]
SHOWN, MOST_ROWS, MOST_LEFT_OUT, MOST_REASONS, MOST_GROUPS = 15, 200, 100, 40, 50
FEW_NAMES = 5
FEW_FOLDERS = 3
"""With so few top folders the ones in them are told, too: they are mere formats or zones."""
NOT_KNOWN: Mapping[str, Access] = {}


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A way to add tables up: by folder, tenant or reader; `prefix` begins a link to its tables."""

    name: str
    key: str
    totals: Sequence[Total]

    @property
    def most(self) -> int:
        """The bytes of the longest bar."""
        return max((total.spare_bytes for total in self.totals), default=0) or 1


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run that stand at the top of its page, and beside those of earlier ones.

    Of the `spare` tables no plan may delete those that are `held`.
    """

    tables: int
    size_bytes: int
    contained: int
    contained_bytes: int
    spare: int
    spare_bytes: int
    held: int
    held_bytes: int
    groups: int
    families: int
    unreadable: int
    left_out: int
    as_asked: int

    @property
    def refused(self) -> int:
        """The tables that can be read but not compared."""
        return self.left_out - self.unreadable - self.as_asked


def page(
    run: RunFiles,
    earlier: Sequence[RunFiles] = (),
    access: Mapping[str, Access] = NOT_KNOWN,
    *,
    show_values: bool = False,
) -> str:
    """The page of a run, beside `earlier` ones; values of the data are in it only if asked for.

    `access` tells who may read tables, as far as that is known.
    """
    plan = run.plan
    graph, families, waste = _looked_at(run)
    unlike = different(graph.equal, access)
    entries: dict[str, Data] = {e["table"]: e for e in plan["tables"]} if plan else {}
    deleted = [entry for entry in entries.values() if entry["choice"] == "delete"]
    kinds = list(_breakdowns(graph, waste, entries, access))
    same = [other for other in earlier if other.graph.lake == graph.lake]
    folders = kinds[0].totals if kinds else ()
    return render(
        environment(),
        "run.html.jinja",
        style="run.css",
        script="run.js",
        run=run,
        graph=graph,
        plan=plan,
        summary=summary_of(graph, families, waste),
        kinds=kinds,
        left_out=[t for t in graph.tables if t.problem and not is_as_asked(t.problem)],
        as_asked=Counter(t.problem for t in graph.tables if is_as_asked(t.problem)),
        own_problem=own_problem,
        top=TOP,
        top_folder=TOP_FOLDER,
        worst=max(folders, key=attrgetter("spare_bytes"), default=None),
        plan_file=f"{run.name or 'RUN'}/{PLAN_NAME}",
        headline=headline(plan) if plan else "",
        pays=pays_told(plan) if plan else "",
        cheapest=cheapest(plan["solver"]) if plan else "",
        degenerate=Counter(child for child, _ in graph.degenerate),
        most_left_out=MOST_LEFT_OUT,
        shown=SHOWN,
        most_rows=MOST_ROWS,
        kept=_kept(graph, entries)[:MOST_REASONS],
        payback=_payback(plan) if plan else "",
        rebuild_usd=sum(entry["rebuild_usd_per_month"] for entry in deleted),
        longest_s=max((entry["rebuild_p95_s"] for entry in deleted), default=0),
        changes=[told for other in same[:1] for told in _changes(other, run)],
        beside=[(other, summary_of(*_looked_at(other))) for other in earlier],
        unlike=unlike[:MOST_GROUPS],
        more_unlike=max(len(unlike) - MOST_GROUPS, 0),
        access=access,
        show_values=show_values,
        data=Markup(
            packed(graph, families, waste, plan, access, run=run.name, show_values=show_values)
        ),
    )


def _looked_at(run: RunFiles) -> tuple[PageGraph, Families, Waste]:
    families = families_of(run.graph)
    number = {table.location: n for n, table in enumerate(run.graph.tables)}
    planned = run.plan["tables"] if run.plan else ()
    deleted = {
        number[e["table"]] for e in planned if e["choice"] == "delete" and e["table"] in number
    }
    return run.graph, families, waste_of(run.graph, families, deleted)


def summary_of(graph: PageGraph, families: Families, waste: Waste) -> Summary:
    """The figures at the top of a page."""
    eligible = [table for table in graph.tables if not table.problem]
    held = [n for n in waste.spare if graph.tables[n].must_keep]

    def size(numbers: Iterable[int]) -> int:
        return sum(graph.tables[n].size_bytes for n in numbers)

    return Summary(
        len(eligible),
        sum(table.size_bytes for table in eligible),
        len(waste.contained),
        size(waste.contained),
        len(waste.spare),
        size(waste.spare),
        len(held),
        size(held),
        len(families.groups),
        max(families.family, default=0),
        sum(table.unreadable for table in graph.tables),
        len(graph.tables) - len(eligible),
        sum(is_as_asked(table.problem) for table in graph.tables),
    )


def _breakdowns(
    graph: PageGraph,
    waste: Waste,
    entries: Mapping[str, Data],
    access: Mapping[str, Access],
) -> Iterator[Breakdown]:
    """Totals by folder; by team and reader where a plan knows of any, by owner where files do."""
    places = [table.location for table in graph.tables]
    shown = [visible(place) for place in places]
    known = [entries.get(place) for place in places]
    folders = {(folder_of(place),) for place in shown}
    named: dict[str, list[tuple[str, ...]]] = {
        "top folder": [(folder_of(place),) for place in shown],
        "folder in a top folder": [(folder_of(place, 2),) for place in shown],
        "team": [(e["tenant"],) if e and e["tenant"] else () for e in known],
        "reader": [tuple(e["usage"]["consumer_names"]) if e else () for e in known],
        "owner of files": [(access[p].owner,) if p in access else () for p in places],
    }
    if len(folders) > FEW_FOLDERS or set(named["folder in a top folder"]) <= folders:
        del named["folder in a top folder"]
    for name, of_tables in named.items():
        least = 2 if name == "owner of files" else 1
        if len(set().union(*of_tables)) >= least:
            yield Breakdown(name, KEYS[name], totals(graph, waste, of_tables, entries))


KEYS = {
    "top folder": "folder",
    "folder in a top folder": "folder",
    "team": "team",
    "reader": "reader",
    "owner of files": "owner",
}
"""The beginning of the link to a total's tables."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The tables that a plan keeps for one reason."""

    reason: str
    tables: int
    size_bytes: int


def _kept(graph: PageGraph, entries: Mapping[str, Data]) -> list[Kept]:
    found: dict[str, list[int]] = defaultdict(list)
    for entry in entries.values():
        if entry["choice"] == "keep":
            found[kept_kind(entry)].append(entry["size_bytes"])
    made = [Kept(reason, len(sizes), sum(sizes)) for reason, sizes in found.items()]
    return sorted(made, key=lambda kept: (-kept.size_bytes, kept.reason))


def _changes(old: RunFiles, new: RunFiles) -> Iterator[str]:
    """Sentences on what is another in the newer run, the lake first, then the plan."""
    before, after = ({t.location: t.snapshot for t in r.graph.tables} for r in (old, new))
    both = before.keys() & after.keys()
    changed = [name for name in both if before[name] != after[name]]
    came, gone = after.keys() - both, before.keys() - both
    yield (
        f"Since {old.name}: {pluralize(len(came), 'table')} came, {len(gone):,} went,"
        f" {len(changed):,} {by_number(len(changed), 'has', 'have')} other files."
    )
    yield from _named({"Came": came, "Went": gone, "Have other files": changed})
    chosen = [
        {e["table"] for e in run.plan["tables"] if e["choice"] == "delete"} if run.plan else set()
        for run in (old, new)
    ]
    if count := len(gone & chosen[0]):
        yield f"The plan of {old.name} deletes {count:,} of those that went."
    if old.plan and new.plan:
        settings = old.plan["settings"], new.plan["settings"]
        unlike = [key for key in settings[1] if settings[0].get(key) != settings[1][key]]
        if unlike:
            yield f"The plan's settings differ: {', '.join(unlike)}."
        more, less = chosen[1] - chosen[0], chosen[0] - chosen[1]
        now, then = "To be deleted now and not then", "To be deleted then and not now"
        yield from _named({now: more, then: less - gone})


def _named(told: Mapping[str, Collection[str]]) -> Iterator[str]:
    """A sentence on each group that has tables, with the first of their names."""
    for what, tables in told.items():
        names = sorted(tables)
        more = f" and {len(names) - FEW_NAMES:,} more" if len(names) > FEW_NAMES else ""
        if names:
            yield f"{what}: {', '.join(map(visible, names[:FEW_NAMES]))}{more}."


def _payback(plan: Data) -> str:
    months = plan["totals"]["payback_months"]
    if months is None:
        return ""
    days = ceil(months * 365 / 12)
    return "a day" if days <= 1 else pluralize(days, "day")


def is_page(content: bytes) -> bool:
    """Recognises a page, also of another version of r2d2."""
    return b"<title>What the lake holds twice</title>" in content
