"""Maven coordinates of the jars that read other table formats, for each version of Spark.

Imports nothing of Spark: `r2d2 doctor` names jars where pyspark is not installed.
"""

# Releases on Maven Central. Spark's own artifacts have the version of pyspark. Of Hudi no release
# for Spark 4 with Scala 2.13 is known, so it has no coordinate.
SCALA = "2.13"
NEWEST_DELTA = "4.4.0"
ICEBERG_OF_SPARK = {"4.0": "1.11.0", "4.1": "1.12.0"}


def coordinates(spark: str, delta: str | None = None) -> dict[str, str]:
    """The Maven coordinate of each jar that fits a Spark and a delta-spark; empty for none.

    >>> coordinates("4.2.0", "4.4.0")["delta-spark"]
    'io.delta:delta-spark_4.2_2.13:4.4.0'
    """
    line = ".".join(spark.split(".")[:2])
    iceberg = ICEBERG_OF_SPARK.get(line)
    return {
        "delta-spark": _delta_coordinate(line, delta or NEWEST_DELTA),
        "spark-avro": f"org.apache.spark:spark-avro_{SCALA}:{spark}",
        "iceberg-spark-runtime": (
            f"org.apache.iceberg:iceberg-spark-runtime-{line}_{SCALA}:{iceberg}" if iceberg else ""
        ),
    }


def _delta_coordinate(line: str, delta: str) -> str:
    """Delta 4.0 was built for Spark 4.0 alone, and only 4.4 for Spark 4.2."""
    release = tuple(int(number) for number in delta.split(".")[:2] if number.isdigit())
    if release < (4, 1):
        fits, artifact = line == "4.0", f"delta-spark_{SCALA}"
    else:
        fits, artifact = line != "4.2" or release >= (4, 4), f"delta-spark_{line}_{SCALA}"
    return f"io.delta:{artifact}:{delta}" if fits else ""
