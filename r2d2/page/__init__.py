"""The page of a run, and the look that it shares with the page of `vmcost`; nothing leaves a page.

A Content-Security-Policy allows a page its own style and script, by hash, and nothing else. Every
value is escaped, and control characters in it are shown as escapes.
"""

import base64
import hashlib
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from r2d2.text_tables import (
    counted,
    duration,
    human_bytes,
    pluralize,
    printable,
    shell_word,
    usd,
    visible,
)


def environment(package: str = "r2d2.page") -> Environment:
    """Jinja's environment for the templates of a package, over those that all pages share."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("r2d2.page")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(
        human_bytes=human_bytes,
        pluralize=pluralize,
        usd=usd,
        price=lambda amount: f"${Decimal(str(amount)).normalize():,f}",
        duration=duration,
        whole="{:,}".format,
        visible=visible,
        shell_word=shell_word,
        counted=counted,
        capitalised=lambda text: text[:1].upper() + text[1:],
        fragment=lambda text: quote(printable(text), safe=""),
    )
    return made


def render(made: Environment, name: str, *, style: str, script: str = "", **values: Any) -> str:
    """The page of a template that extends `base.html.jinja`, with its own style and script."""
    look = "\n".join(made.get_template(sheet).render().strip() for sheet in ("base.css", style))
    code = made.get_template(script).render().strip() if script else ""
    return made.get_template(name).render(
        style=Markup(look),
        style_hash=_hash(look),
        script=Markup(code),
        script_hash=_hash(code) if code else "",
        **values,
    )


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _shown(value: object) -> object:
    """Text with its control characters escaped, unless it is the page's own."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
