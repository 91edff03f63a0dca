"""`r2d2 explain`: the verdict of each stage on one pair of tables."""

from typing import Annotated

from cyclopts import Parameter

from r2d2.cli import Config, Json, Renamed, TypesFlag
from r2d2.cli.terminal import print_json, print_lines
from r2d2.errors import EXIT_OK


def explain(
    child: str,
    parent: str,
    /,
    *,
    lake: Annotated[str, Parameter(help="The lake that both tables are in.")] = ".",
    types: TypesFlag = None,
    renamed: Renamed = None,
    show_samples: Annotated[
        int, Parameter(help="Show up to so many child rows that the parent lacks.")
    ] = 0,
    config: Config = None,
    json: Json = False,
) -> int:
    """Show which stage decides whether CHILD is contained in PARENT, and why.

    Values of the data are shown under --show-samples only.
    For example: r2d2 explain team/copy.parquet flights.parquet --lake sample_lake
    """
    from r2d2.explain import explain_pair
    from r2d2.model import Types
    from r2d2.settings.find import load_settings

    settings = load_settings(config, types=Types(types) if types else None, renamed=renamed)
    explanation = explain_pair(lake, child, parent, settings, show_samples)
    if json:
        print_json(explanation.data())
    else:
        print_lines(explanation.lines())
    return EXIT_OK
