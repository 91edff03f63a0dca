"""The engine of a Spark cluster: the same kernels, run by its executors."""
