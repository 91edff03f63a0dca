"""The packages of each extra, and what to type where one is not installed."""

import json
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

from r2d2.errors import MissingDependencyError

DISTRIBUTION = "r2d2-lake"
PACKAGES = {
    "plan": ("pulp", "highspy", "sqlglot"),
    "renamed": ("datasketch", "scipy"),
    "page": ("jinja2",),
    "vmcost": ("jinja2", "scipy", "zstandard"),
    "cloud": ("obstore",),
    "buckets": ("obstore", "boto3"),
    "delta": ("deltalake",),
    "spark": ("pyspark", "delta-spark", "pandas"),
}
"""The packages of the extras of `pyproject.toml`."""


def require(extra: str, what: str) -> None:
    """Returns where all that `what` needs is installed.

    Raises:
        MissingDependencyError: a package of the extra is not.
    """
    absent = [name for name in PACKAGES[extra] if find_spec(name) is None]
    if absent:
        raise MissingDependencyError(not_installed(what, ", ".join(absent), extra))


def not_installed(what: str, names: str, extra: str) -> str:
    """The message that `what` needs absent packages, and the command that installs them."""
    return f"{what} needs {names}, not installed here; install it with {install(extra)}"


def install(extra: str, *packages: str) -> str:
    """The command that installs r2d2 with an extra into this environment, whole as it is typed.

    r2d2 comes from where it came from before: its source folder or a wheel; where neither is known,
    the packages alone are named, the extra's if none are given. An empty `extra` is r2d2 itself.
    """
    source = _source()
    if source is not None:
        *flags, place = source
        names = [*flags, f"{place}[{extra}]" if extra else place]
    else:
        names = list(packages or PACKAGES.get(extra, (DISTRIBUTION,)))
    return shlex.join([sys.executable or "python3", "-m", "pip", "install", *names])


def _source() -> list[str] | None:
    """The folder or wheel that r2d2 was installed or is run from, after `-e` where it is linked."""
    # Only here: it reads mail's headers, and most commands lack no package.
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        told = distribution(DISTRIBUTION).read_text("direct_url.json")
    except PackageNotFoundError:
        told = None
    origin = json.loads(told) if told else {}
    place = unquote(origin.get("url", "").removeprefix("file://"))
    if place and Path(place).exists():
        return ["-e", place] if origin.get("dir_info", {}).get("editable") else [place]
    folder = Path(__file__).parents[1]
    return [str(folder)] if (folder / "pyproject.toml").exists() else None
