"""Sphinx's settings for the pages that `python -m tools.docs` collects."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # autodoc reads this checkout's r2d2

from r2d2 import __version__

project = "r2d2"
release = __version__
copyright = "the r2d2 authors, Apache-2.0"  # noqa: A001, Sphinx names it so
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

html_theme = "furo"
html_title = f"r2d2 {release}"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False

default_role = "literal"  # docstrings put code between single backticks
highlight_language = "none"
myst_heading_anchors = 4
add_module_names = False  # functions live in r2d2.api, and are called by the package's name
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_class_signature = "separated"
python_use_unqualified_type_names = True
