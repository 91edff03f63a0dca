"""Spark's exceptions become ours, once, where its jobs are started."""

from collections.abc import Iterator
from contextlib import contextmanager

from r2d2.errors import MissingDependencyError, R2D2Error

SHIP = (
    "the cluster's Python workers cannot import r2d2: install it in their environment,"
    " or send its wheel along with --py-files"
)


@contextmanager
def spark_errors() -> Iterator[None]:
    """Raises R2D2Error for what Spark refuses or could not finish, by the first line of why."""
    try:
        yield
    except _foreign() as error:
        text = str(error)
        if "No module named 'r2d2'" in text:
            raise MissingDependencyError(SHIP) from error
        raise R2D2Error(f"Spark could not finish: {_gist(text)}") from error


def _foreign() -> tuple[type[Exception], ...]:
    from pyspark.errors import PySparkException

    try:
        from py4j.protocol import Py4JError
    except ModuleNotFoundError:  # a client of Spark Connect alone has no JVM to talk to
        return (PySparkException,)
    return PySparkException, Py4JError


def _gist(text: str) -> str:
    """The line that says why: the last of a worker's traceback, else the first that tells."""
    lines = [line.strip().removeprefix(": ") for line in text.splitlines() if line.strip()]
    for place, line in enumerate(lines):
        if line.startswith("Traceback (most recent call last)"):
            after = [line for line in lines[place + 1 :] if not line.startswith("at ")]
            return next((line for line in reversed(after) if "Error" in line), lines[0])
    telling = (line for line in lines if not line.startswith("An error occurred while calling"))
    return next(telling, "no reason given")
