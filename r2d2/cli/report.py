"""`r2d2 report`: a run as one HTML page."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from r2d2.cli import Output
from r2d2.cli.terminal import print_lines
from r2d2.errors import EXIT_OK
from r2d2.extras import require
from r2d2.text_tables import visible

if TYPE_CHECKING:
    from r2d2.page.run_files import RunFiles

PAGE_NAME = "report.html"
Report = Annotated[
    Path | None, Output, Parameter(help="File to write the result to as an HTML page.")
]


def report(
    run: Annotated[Path, Parameter(help="Folder that `r2d2 find --out` wrote.")],
    /,
    *,
    out: Annotated[
        Path | None, Output, Parameter(help="File for the page; default: RUN/report.html.")
    ] = None,
    beside: Annotated[
        tuple[Path, ...],
        Parameter(negative="", help="Folder of another run to compare with; may be repeated."),
    ] = (),
    show_values: Annotated[
        bool, Parameter(negative="", help="Show values of the data: predicates and constants.")
    ] = False,
) -> int:
    """Write a run, with its plan where there is one, as one HTML page that loads nothing else.

    Reads no data; of a lake in a local folder it looks up the permissions of
    files, and in the journal what was deleted by the plan. Earlier runs in
    RUN/earlier are compared with this one.

    For example:

    r2d2 report run --out page.html

    r2d2 report run --beside last-week/run --show-values
    """
    path = out or run / PAGE_NAME
    prepare_page(path)
    write_run(path, run, beside=beside, show_values=show_values)
    print_lines([page_written(path)])
    return EXIT_OK


def page_written(path: Path) -> str:
    """The line that says where a page is."""
    return f"page written to {visible(str(path))}: open it in a browser"


def prepare_page(path: Path | None) -> None:
    """Passes where a page can be written to this file, if to any.

    Raises:
        UsageError: something else than a page of r2d2's is there.
        MissingDependencyError: what renders it is not installed.
    """
    if path is None:
        return
    require("page", "an HTML page")
    from r2d2.page.html import is_page
    from r2d2.storage.output import prepare_file

    prepare_file(path, is_page, "page of r2d2's")


def write_run(
    path: Path,
    run: Path,
    plan: Mapping[str, Any] | None = None,
    *,
    beside: Sequence[Path] = (),
    show_values: bool = False,
) -> None:
    """Writes the page of a run's folder, other runs beside; `plan` takes the place of its own."""
    from r2d2.page.run_files import earlier, run_files
    from r2d2.plan.lake_now import applied_since

    others = (*map(run_files, beside), *earlier(run))
    shown = run_files(run, plan)
    if shown.plan is not None:
        shown = replace(shown, applied=applied_since(shown.plan))
    write_page(path, shown, others, show_values=show_values)


def write_page(
    path: Path, run: "RunFiles", earlier: "tuple[RunFiles, ...]" = (), *, show_values: bool = False
) -> None:
    """Writes the page of a run that is in memory."""
    from r2d2.page.html import is_page, page
    from r2d2.page.run_files import access_of
    from r2d2.storage.output import write_files

    access = access_of(run.graph.lake, [table.location for table in run.graph.tables])
    text = page(run, earlier, access, show_values=show_values)
    write_files(path.parent, {path.name: text}, files={path.name: is_page}, marked=False)
