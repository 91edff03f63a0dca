"""What only some commands need, and what to type where it is not installed."""

from importlib.util import find_spec

from r2d2.errors import MissingDependencyError

PACKAGES = {
    "plan": ("pulp", "highspy", "sqlglot"),
    "renamed": ("datasketch", "scipy"),
    "vmcost": ("jinja2", "scipy", "zstandard"),
    "cloud": ("obstore",),
    "delta": ("deltalake",),
}
"""The packages of each extra of `pyproject.toml`, by the name they are imported by."""


def require(extra: str, what: str) -> None:
    """Nothing, where all that `what` needs is installed.

    Raises:
        MissingDependencyError: a package of the extra is not.
    """
    absent = [name for name in PACKAGES[extra] if find_spec(name) is None]
    if absent:
        raise MissingDependencyError(
            f"{what} needs {', '.join(absent)}, not installed here:"
            f" pip install 'r2d2-lake[{extra}]'"
        )
