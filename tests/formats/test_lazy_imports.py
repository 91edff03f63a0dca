"""The list of formats is imported at no cost; a format's own modules are when it is used."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_listing_the_formats_imports_no_library() -> None:
    code = (
        "import sys, r2d2.formats; assert len(r2d2.formats.FORMATS) > 5;"
        "print(*({m.partition('.')[0] for m in sys.modules} & {'pyarrow', 'fastavro', 'numpy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
