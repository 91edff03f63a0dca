"""The memory of an executor's container, as Spark asks the cluster manager for it."""

from collections.abc import Mapping

import pytest

from r2d2.vmcost.events.executors import memory_mib
from r2d2.vmcost.events.schema import ResourceProfileAdded, ResourceRequest


def profile(**amounts: float) -> ResourceProfileAdded:
    return ResourceProfileAdded(
        0, {name: ResourceRequest(amount) for name, amount in amounts.items()}
    )


def properties(**told: str) -> dict[str, str]:
    """Properties by their names without `spark.`, dots as underscores."""
    return {f"spark.{name.replace('_', '.')}": value for name, value in told.items()}


@pytest.mark.parametrize(
    ("told", "mib"),
    [
        ({}, None),
        ({"executor_memory": "a lot"}, None),
        ({"executor_memory": "4g"}, 4096),
        ({"executor_memory": "4096"}, 4096),
        ({"executor_memory": "2097152k"}, 2048),
        ({"executor_memory": "4g", "master": "spark://host:7077"}, 4096),
        ({"executor_memory": "1g", "master": "yarn"}, 1024 + 384),
        ({"executor_memory": "10g", "master": "yarn"}, 10240 + 1024),
        ({"executor_memory": "10g", "master": "yarn", "executor_memoryOverhead": "2g"}, 12288),
        ({"executor_memory": "10g", "master": "k8s://https://host"}, 10240 + 1024),
        (
            {"executor_memory": "10g", "master": "k8s://h", "kubernetes_resource_type": "python"},
            10240 + 4096,
        ),
        (
            {"executor_memory": "10g", "master": "k8s://h", "executor_memoryOverheadFactor": "0.2"},
            10240 + 2048,
        ),
        (
            {"executor_memory": "1g", "memory_offHeap_enabled": "true",
             "memory_offHeap_size": "1g"},
            2048,
        ),
        ({"executor_memory": "1g", "memory_offHeap_size": "1g"}, 1024),
        (
            {"executor_memory": "1g", "memory_offHeap_enabled": "true",
             "memory_offHeap_size": str(2**29)},
            1536,
        ),
        ({"executor_memory": "1g", "executor_pyspark_memory": "512m"}, 1536),
    ],
)  # fmt: skip
def test_properties_tell_what_was_asked(told: Mapping[str, str], mib: int | None) -> None:
    assert memory_mib(None, properties(**told), local=False) == mib


def test_a_resource_profile_goes_before_properties() -> None:
    told = properties(executor_memory="1g", executor_memoryOverhead="3g", master="yarn")
    asked = profile(memory=2048, memoryOverhead=512, offHeap=0)
    assert memory_mib(asked, told, local=False) == 2560
    assert memory_mib(profile(memory=2048), told, local=False) == 2048 + 3072


def test_in_local_mode_the_drivers_heap_counts() -> None:
    told = properties(driver_memory="2g", executor_memory="9g")
    assert memory_mib(profile(memory=1024), told, local=True) == 2048
    assert memory_mib(profile(memory=1024), {}, local=True) is None
