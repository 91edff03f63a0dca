"""Deletion: a plan's tables leave the lake, and nothing is lost (docs/decisions/0012).

Nothing else in r2d2 writes into a lake. `verbs` has a module for each command; they share:

- `place` writes files into a lake, each durably and none over another;
- `journal` appends records, for the one runner that has the lease;
- `record` is what is kept of a deleted table, enough to rebuild it, and the note beside its place;
- `parents` are those of deleted tables as they are now, and what recipes give of them;
- `catalogue` is the listing of one, asked before a table goes; `session_catalogue` is Spark's own;
- `movers` take a table out of readers' sight and put it back, a class for each way.

The words: a table is *marked* when its deletion begins, *tombstoned* when it is in quarantine and a
rebuild was compared with it, *purged* when its files are gone. Its *parents* are held until then
and after, as long as it may have to be rebuilt.
"""
