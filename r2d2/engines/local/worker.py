"""Search for recipes, one batch of requests after the other, by this process or by a child."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from r2d2.engines.pickling import dumps, loads
from r2d2.errors import R2D2Error
from r2d2.model import Types
from r2d2.processes import ChildProcess, answer_requests
from r2d2.recipes.find import search
from r2d2.recipes.find.request import AnyRequest, Proposal, Request, no_recipe
from r2d2.recipes.find.row_counts import MEMORY_BYTES, RowCounts
from r2d2.storage.local import Storage

_PROGRAM = "from r2d2.engines.local.worker import serve; serve()"
# Memory that was freed is used again: to get it anew for each column took a third of the time.
_ALLOCATION = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
}
PATIENCE_S = 10
RequestBatch: TypeAlias = Sequence[AnyRequest]
Proposals: TypeAlias = list[Proposal]


class ThisProcess:
    """This process, which searches for recipes itself."""

    def __init__(
        self,
        storage: Storage,
        types: Types,
        memory_bytes: int = MEMORY_BYTES,
        threads: int = 1,
    ) -> None:
        self._counts = RowCounts(storage, types, memory_bytes=memory_bytes, threads=threads)

    def answer(self, batch: RequestBatch) -> Proposals:
        """The proposals for the batch's requests."""
        return search(batch, self._counts)

    def end(self) -> None:
        """There is nothing to end."""


class RecipeWorker:
    """A process that answers one batch after the other; where it dies, another takes over.

    Raises:
        OSError: the machine starts no more processes.
    """

    def __init__(
        self,
        storage: Storage,
        types: Types,
        memory_bytes: int = MEMORY_BYTES,
        threads: int = 1,
    ) -> None:
        self._search = storage, types, memory_bytes, threads
        self._ended = False
        self._is_fresh = True
        self._child = self._started()

    def _started(self) -> ChildProcess:
        return ChildProcess(_PROGRAM, _ALLOCATION)

    def answer(self, batch: RequestBatch) -> Proposals:
        """The proposals; none, with a reason, for a request at which a fresh process ends.

        A batch at which a process ends (killed for its memory, say) is asked once more of a fresh
        one, and request by request where that ends too: so the others keep their recipes.

        Raises:
            R2D2Error: what went wrong in the process, or that no other takes its place.
        """
        request = dumps((self._search, batch))
        try:
            (answer,) = self._child.ask(request)
        except (EOFError, OSError, ValueError):  # the pipe is broken, or closed by `end`
            status = self._child.end(PATIENCE_S)
            was_fresh = self._is_fresh
            self._replace()
            if not self._ended and not was_fresh:
                return self.answer(batch)
            if not self._ended and len(batch) > 1:
                return [found for request in batch for found in self.answer([request])]
            reason = f"the process that looked for its recipes ended with status {status}"
            return [lost for request in batch for lost in _lost(request, reason)]
        self._is_fresh = False
        return list(loads(answer))

    def _replace(self) -> None:
        if not self._ended:
            try:
                self._child = self._started()
                self._is_fresh = True
            except OSError as error:
                raise R2D2Error(f"no process can be started: {error.strerror}") from error

    def end(self) -> None:
        """Ends the process at once, whatever it does; it may have ended."""
        self._ended = True
        self._child.end()


def _lost(request: AnyRequest, reason: str) -> list[Proposal]:
    if not isinstance(request, Request):
        return []
    return [no_recipe(request.parent, child.table, reason) for child in request.children]


def serve() -> None:
    """The program of a worker: searches for the recipes for the batches that come as requests."""
    searcher: ThisProcess | None = None

    def answer(request: bytes) -> Iterator[bytes]:
        nonlocal searcher
        search, batch = loads(request)
        searcher = searcher or ThisProcess(*search)
        try:
            yield dumps(searcher.answer(batch))
        except R2D2Error:
            raise
        except Exception as error:
            raise R2D2Error(repr(error)) from error

    answer_requests(answer)
