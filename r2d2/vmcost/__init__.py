"""The costs of a cluster's VMs: Spark event logs to money, by part, job, stage and executor.

    events    → Application      the facts of a log, its damage counted
    machines  → Cluster          stated, in the log, or those that would fit
    bill      → money            an exact partition of the machines' costs, and of task time
    advice    → cheaper ways     each figure marked as modelled
    report    → text, HTML, CSV  each a function of the same plain data

It shares errors and file writing with the rest of r2d2, and nothing else.
"""
