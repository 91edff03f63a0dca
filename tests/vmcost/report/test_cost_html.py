import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from r2d2.text_tables import printable
from r2d2.vmcost.report.html import page
from tests.support.vmcost.report_examples import (
    HOSTILE,
    PARTS,
    a_report,
    an_application,
    without_money,
)

VOID = {"meta", "link", "br"}


class Read(HTMLParser):
    """What a browser would see: tags, their attributes, texts; tags must close in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def hostile_everywhere() -> dict[str, object]:
    made = an_application(2, name=HOSTILE, application_id=HOSTILE, spark_version=HOSTILE)
    for key in ("by_job", "by_stage", "by_executor", "prices", "advice"):
        made[key][0] = {k: HOSTILE if isinstance(v, str) else v for k, v in made[key][0].items()}
    made["cluster"] = {k: HOSTILE if isinstance(v, str) else v for k, v in made["cluster"].items()}
    made["timeline"]["hosts"][0]["host"] = made["timeline"]["jobs"][0]["name"] = HOSTILE
    made |= {"files": [HOSTILE], "problems": {HOSTILE: 1}, "attempt": HOSTILE, "started": HOSTILE}
    made["money"][HOSTILE] = made["task_time"][f"{HOSTILE}_s"] = 0.0
    return {"version": 1, "applications": [made, an_application(), without_money(why=HOSTILE)]}


def test_hostile_names_are_text_and_nothing_else() -> None:
    hostile, honest = Read(page(hostile_everywhere())), Read(page(a_report(3)))
    assert {tag for tag, _ in hostile.tags} == {tag for tag, _ in honest.tags}
    names = {name for _, attributes in hostile.tags for name in attributes}
    assert names == {name for _, attributes in honest.tags for name in attributes}
    assert "".join(hostile.texts).count(printable(HOSTILE)) > 20


@pytest.mark.parametrize("report", [a_report(), a_report(0), hostile_everywhere()])
def test_the_page_has_no_script_no_inline_style_and_no_address(report: dict[str, object]) -> None:
    read = Read(page(report))
    for tag, attributes in read.tags:
        assert tag not in {"script", "iframe", "object", "embed", "form", "img", "base"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in {"style", "src", "srcset", "action", "xlink:href"}
            if name == "href":
                assert value is not None
                assert value.startswith(("#", "data:,"))


def test_the_policy_allows_the_style_sheet_by_its_hash_and_nothing_else() -> None:
    text = page(a_report())
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policies = [
        attributes["content"]
        for _, attributes in Read(text).tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == [
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    ]


def test_the_same_report_gives_the_same_bytes() -> None:
    assert page(hostile_everywhere()).encode() == page(hostile_everywhere()).encode()


def test_every_part_of_the_money_has_a_bar_and_says_as_of_when_it_is_priced() -> None:
    text = page(a_report())
    for part in PARTS:
        assert text.count(f'class="p-{part}"') == 2
    assert "priced (as of 2026-08-01, 31 days old)" in text


def test_without_money_vm_time_is_drawn_and_the_reason_is_said() -> None:
    text = page({"version": 1, "applications": [without_money()]})
    assert "<b>No money:</b> the log names no machine." in text
    assert "What the VMs' time went into" in text
    assert "What the money went into" not in text
    assert "Standard_E8s_v3" in text


def test_prices_have_their_date_and_age() -> None:
    texts = Read(page(a_report())).texts
    assert {"2026-08-08", "24", "2026-08-01", "31", "two lists that agree"} <= set(texts)


def test_every_application_is_in_the_index_and_has_a_section() -> None:
    read = Read(page(a_report(12)))
    targets = {a["href"] for tag, a in read.tags if tag == "a"}
    sections = {f"#{a['id']}" for tag, a in read.tags if tag == "section"}
    assert targets == sections
    assert len(sections) == 12


@pytest.mark.slow
def test_hundreds_of_hosts_or_of_applications_stay_a_page_that_opens() -> None:
    hosts = page({"version": 1, "applications": [an_application(hosts=500, bins=240)]})
    assert len(hosts) < 1_500_000
    applications = page(a_report(200, hosts=20))
    assert len(applications) < 12_000_000


def test_ids_are_the_pages_own_and_each_is_used_once() -> None:
    ids = [a["id"] for _, a in Read(page(hostile_everywhere())).tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"application-\d+(-[tdh])?", name or "") for name in ids)
