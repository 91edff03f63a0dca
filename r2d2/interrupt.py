"""Work that Ctrl-C ends at once, even while a library blocks in it."""

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def interruptibly(work: Callable[[], Result]) -> Result:
    """What `work` returns or raises; it runs in a thread that an interrupt leaves behind.

    The main thread only waits, so that a signal reaches it whatever the work is doing. After an
    interrupt the process must end: the thread may still be reading.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
            errors.append(error)

    thread = threading.Thread(target=run, name="r2d2", daemon=True)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        # Only here: what a command needs is imported while it runs.
        from r2d2.engines.runstore import remove_scratch

        remove_scratch()
        raise
    if errors:
        raise errors[0]
    return results[0]
