"""`r2d2 find` for spark-submit: the same flags, in the session that spark-submit starts.

    find_containment.py LAKE --out DIR [--types widened] [--min-fraction 0.9] [--config r2d2.toml] …

Every executor needs Python 3.11 or later with r2d2 and its dependencies. Two ways:
- in the workers' environment: `pip install '.[spark,plan,cloud]'` in r2d2's source folder, in the
  image, or an archive by `conda pack` / `venv-pack`;
- r2d2 alone by `--py-files`, where the environment has its dependencies (pyarrow, numpy,
  xxhash, …) already. A wheel is a zip: `--py-files r2d2_lake-VERSION.whl`.
LAKE and DIR are opened where the driver runs, LAKE on every executor, too: a folder must be shared
by all, a bucket (s3://, gs://, abfss://) needs its credentials in the executors' environment
(spark.executorEnv.AWS_ACCESS_KEY_ID=…, or the machine's role).

Local:

    spark-submit --master 'local[*]' jobs/find_containment.py sample_lake --out run

Standalone (the driver stays here):

    export PYSPARK_PYTHON=/opt/r2d2/bin/python
    spark-submit --master spark://host:7077 --py-files r2d2_lake-VERSION.whl \\
        jobs/find_containment.py /shared/lake --out run

YARN, with a packed environment (the driver runs in the cluster: let DIR be on a shared disk):

    venv-pack -o r2d2.tar.gz
    spark-submit --master yarn --deploy-mode cluster --archives r2d2.tar.gz#r2d2 \\
        --conf spark.yarn.appMasterEnv.PYSPARK_PYTHON=./r2d2/bin/python \\
        --conf spark.executorEnv.PYSPARK_PYTHON=./r2d2/bin/python \\
        jobs/find_containment.py s3://bucket/lake --out /shared/run

Kubernetes, with an image of `apache/spark` in which `pip install '.[spark,plan,cloud]'` was run in
r2d2's source folder, and its jobs/ copied to /opt/r2d2:

    spark-submit --master k8s://https://host:6443 --deploy-mode cluster \\
        --conf spark.kubernetes.container.image=registry/r2d2:VERSION \\
        --conf spark.kubernetes.driver.volumes.persistentVolumeClaim.run.mount.path=/run-out \\
        --conf spark.kubernetes.driver.volumes.persistentVolumeClaim.run.options.claimName=run \\
        local:///opt/r2d2/jobs/find_containment.py s3://bucket/lake --out /run-out

Databricks: install the wheel as a library of the cluster (or list it under `libraries` of the job),
and make this file a "Python script" task with the parameters
`["/Volumes/main/default/lake", "--out", "/Volumes/main/default/run"]`. From a laptop, over
Databricks Connect or any Spark Connect server, no job is needed:

    r2d2 find /Volumes/main/default/lake --engine spark --master sc://host:443/;token=…

Memory: an executor's core wants about 1 GB beside the JVM's heap (spark.executor.memoryOverhead),
since Python decodes and hashes; nothing is collected but sketches and counts.
Exit codes are r2d2's. Cluster modes of YARN and Kubernetes, and Airflow, call any but 0 a failed
application, so 4 ("some tables could not be read") too. One flag is the job's own: with
`--unreadable-ok` that is 0. Such tables are named on stderr and in graph.json, and every plan keeps
them. An empty argument, as a template leaves behind, is none.
"""

import sys

from pyspark.sql import SparkSession

from r2d2 import cli
from r2d2.errors import EXIT_OK, EXIT_SOME_UNREADABLE
from r2d2.storage.scratch import end_on_signals

UNREADABLE_OK = "--unreadable-ok"


def main(arguments: list[str]) -> int:
    """Runs `r2d2 find` in the session at hand and returns the job's exit code."""
    own = find_arguments(arguments)
    session = SparkSession.builder.appName("r2d2 find").getOrCreate()
    # Only now: the session has set a handler of its own.
    end_on_signals()
    try:
        code = cli.main(["find", *own, "--engine", "spark"])
    finally:
        session.stop()
    return job_exit_code(code, arguments)


def find_arguments(arguments: list[str]) -> list[str]:
    """Those of `r2d2 find`."""
    return [argument for argument in arguments if argument not in ("", UNREADABLE_OK)]


def job_exit_code(code: int, arguments: list[str]) -> int:
    """The job's exit code where `r2d2 find` ended with that code."""
    if code == EXIT_SOME_UNREADABLE and UNREADABLE_OK in arguments:
        return EXIT_OK
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
