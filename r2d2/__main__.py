"""`python -m r2d2`."""

from r2d2.cli import run

run()
