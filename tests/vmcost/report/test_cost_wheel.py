import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

REPOSITORY = Path(__file__).parents[3]


def files_of_wheel(folder: Path) -> set[str]:
    builder = WheelBuilder(str(REPOSITORY))
    (wheel,) = builder.build(directory=str(folder), versions=["standard"])
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_says_that_its_types_may_be_checked(tmp_path: Path) -> None:
    assert "r2d2/py.typed" in files_of_wheel(tmp_path)


def test_the_wheel_carries_the_price_list_and_not_what_made_it(tmp_path: Path) -> None:
    files = files_of_wheel(tmp_path)
    assert "r2d2/vmcost/prices/prices.csv" in files
    packages = {name.partition("/")[0] for name in files}
    assert {name for name in packages if not name.endswith(".dist-info")} == {"r2d2"}


def test_the_wheel_carries_the_pages_templates(tmp_path: Path) -> None:
    templates = REPOSITORY / "r2d2/vmcost/report/templates"
    own = {f"r2d2/vmcost/report/templates/{path.name}" for path in templates.iterdir()}
    assert own
    assert own <= files_of_wheel(tmp_path)
