"""The packages of each extra, and what to type where one is not installed."""

from importlib.util import find_spec

from r2d2.errors import MissingDependencyError

PACKAGES = {
    "plan": ("pulp", "highspy", "sqlglot"),
    "renamed": ("datasketch", "scipy"),
    "vmcost": ("jinja2", "scipy", "zstandard"),
    "cloud": ("obstore",),
    "delta": ("deltalake",),
}
"""The packages of extras of `pyproject.toml`, by the name they are imported by."""


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


def install(extra: str) -> str:
    """The command that installs r2d2 with an extra; without one where `extra` is empty."""
    target = f"'.[{extra}]'" if extra else "."
    return f"pip install {target} in r2d2's source folder"
