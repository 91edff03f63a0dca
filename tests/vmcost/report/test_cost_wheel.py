import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

REPOSITORY = Path(__file__).parents[3]


def test_the_wheel_carries_the_pages_templates(tmp_path: Path) -> None:
    builder = WheelBuilder(str(REPOSITORY))
    (wheel,) = builder.build(directory=str(tmp_path), versions=["standard"])
    templates = REPOSITORY / "r2d2/vmcost/report/templates"
    own = {f"r2d2/vmcost/report/templates/{path.name}" for path in templates.iterdir()}
    assert own
    assert own <= set(zipfile.ZipFile(wheel).namelist())
