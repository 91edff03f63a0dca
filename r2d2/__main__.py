"""The command `r2d2`, also as `python -m r2d2`: what must be set before anything is imported."""

# Built in: `signal` would be read from disk, and `enum` with it, while Ctrl-C has a traceback.
import _signal  # type: ignore[import-not-found]
import gc
import os
import sys


def run() -> None:
    """Runs the command line; ends at once on Ctrl-C or SIGTERM, even while a thread still reads."""
    # Until it is handled, Ctrl-C needs no traceback.
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from r2d2.storage.scratch import end_on_signals

    end_on_signals()
    # A run makes many objects that last and few cycles: collecting often finds nothing.
    gc.set_threshold(1_000_000, 50, 100)
    # Nothing here is linear algebra, whose threads would spin beside the work.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from r2d2.cli import main

    code = main()
    # The end is the end: looking for cycles among all that was imported would take 30 ms.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    run()
