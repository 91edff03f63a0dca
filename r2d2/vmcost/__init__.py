"""What a cluster's VMs cost: Spark event logs to money, by job, stage, executor and cause.

    events  → Application      what the logs tell, damage counted
    usage   → seconds          of cores, hosts, tasks
    bill    → money            an exact partition of what the machines cost
    advice  → what would be cheaper, each figure marked as modelled

It shares errors and file writing with the rest of r2d2, and nothing else.
"""
