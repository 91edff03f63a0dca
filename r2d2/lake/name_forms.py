"""Forms of names: a name with `#` for each number and id in it; names of one form are alike.

What tells a slice of time (`2013-01`, `q3`), an edition (`v2`, `copy 3`) or a type (`utf8`) stays.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from r2d2.formats import FORMATS

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
YEAR_AND_MONTH = r"(?:19|20)[0-9]{2}[-_.]?(?:0[1-9]|1[0-2])"
_QUARTER = r"[-_. ]?(?:q[1-4]|w(?:0[1-9]|[1-4][0-9]|5[0-3]))"
_MONTH_FIRST = r"(?:(?:0[1-9]|[12][0-9]|3[01])[-_.]?){1,2}(?:19|20)[0-9]{2}"
_DATE = (
    rf"(?<![0-9])(?:[1-4]q[-_. ]?)?(?:{YEAR_AND_MONTH}(?:[-_.]?(?:0[1-9]|[12][0-9]|3[01]))?"
    rf"|{_MONTH_FIRST}|(?:19|20)[0-9]{{2}})(?:{_QUARTER})?(?![0-9])"
)
_SPAN = (
    r"(?<![^\W\d_])(?:m(?:0?[1-9]|1[0-2])|q[1-4]|fy[-_ ]?(?:[0-9]{2}){1,2}"
    r"|(?:year|quarter|month|week|day)[-_. ]?[0-9]{1,4})(?![^\W_])"
)
_SLICE = re.compile(rf"{_DATE}|{_SPAN}")
"""A year, month or day: the slice of time that the rows are of."""
_EDITION = (
    r"(?<![^\W\d_])(?:(?:v|ver|version|rev|revision|release)[-_. ]?"
    r"[0-9]+(?:\.[0-9]{1,2}(?![0-9]))*|(?:copy|backup|bak|snapshot)[-_. (]{0,2}[0-9]+"
    r"|(?:u?int|float|utf|decimal)[-_]?[0-9]+(?![^\W_]))"
)
"""A version, copy or type: no writer counts its parts so."""
_COUNTER = r"(?<![^\W_])(?=(?:[a-f]*[0-9]){2})[0-9a-f]{4,}(?![^\W_])|[0-9]+"
_IN_SLICE = re.compile(rf"(?P<said>{_SLICE.pattern}|{_EDITION})|{_COUNTER}")
_IN_NUMBER = re.compile(rf"(?P<said>{_EDITION})|{_COUNTER}")
_LONG = re.compile(r"(?<![^\W_])(?=[a-z]*[0-9])[0-9a-z]{8,}(?![^\W_])")
_GAPS = re.compile(r"[^\w#]+|_+")
IDS = re.compile(
    rf"{UUID}|(?<![0-9a-z])[0-9a-f]{{16,}}(?![0-9a-z])"
    r"|(?<![0-9])1[0-9]{9}(?:[0-9]{3}){0,3}(?![0-9])",  # seconds since 1970, or parts of them
    re.IGNORECASE,
)
_BORDER = re.compile("(?=[0-9][a-z]|[a-z][0-9])", re.IGNORECASE)
_TWO_FOR_TO = re.compile("(?:[a-z]2[a-z]|[a-z]{2,}2[a-z]{2,})$")  # `b2c`, `en2de`
_SAYING = re.compile(rf"{_SLICE.pattern}|{_EDITION}")
_CODECS = r"c[0-9]{3}|snappy|gz|gzip|zst|zstd|lz4|lz4_raw|bz2|br|brotli|lzo|deflate|xz|z"
_FORMATS = "|".join(re.escape(ending) for known in FORMATS for ending in known.endings)
_ENDINGS = re.compile(rf"(?:\.(?:{_CODECS}))*(?:{_FORMATS})$", re.IGNORECASE)
_YEAR = re.compile("(?:19|20)[0-9]{2}")
_BELOW_YEAR = {1: re.compile("0?[1-9]|1[0-2]"), 2: re.compile("0?[1-9]|[12][0-9]|3[01]")}
_SECOND_DATE = r"(?:19|20)[0-9]{2}[-.][0-9]{2}|[0-9]{8}"  # of a span: `2024-01-01_2024-01-31`
_CLOCK = (
    rf"[tT_ .-]*(?!{_SECOND_DATE})"
    r"(?:[01][0-9]|2[0-3])[-:.]?[0-5][0-9](?:[-:.]?[0-5][0-9])?[0-9.]*[zZ]?"
)
_MOMENT = rf"(?<![0-9]){YEAR_AND_MONTH}[-_.]?(?:0[1-9]|[12][0-9]|3[01]){_CLOCK}(?![0-9])"
INSTANT = re.compile(_MOMENT, re.IGNORECASE)
_MADE = re.compile(
    rf"(?P<edition>(?:copy|backup|bak|snapshot)[-_. ]?{_MOMENT})|{IDS.pattern}|{_MOMENT}",
    re.IGNORECASE,
)


def stem(name: str) -> str:
    """The name before its format's ending and its compression's."""
    return _ENDINGS.sub("", name) or name


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of names beside each other: `#` for each number or id. `said` tell a slice of time.

    `made` have a moment or an id in them, which a machine gave; `ids` differ by a short one.
    """

    forms: dict[str, str]
    ids: dict[str, str]
    counts: Counter[str]
    said: frozenset[str]
    made: frozenset[str]

    @classmethod
    def of(cls, stems: Collection[str]) -> "Forms":
        """The forms; digits alone may be a number, so all names of one spelling must be dates."""
        made = {each for each in stems if IDS.search(each) or INSTANT.search(each)}
        alike: dict[str, list[str]] = defaultdict(list)
        for each in stems:
            alike[re.sub("[0-9]+", "0", each)].append(each)
        said: set[str] = set()
        for others in alike.values():
            if all(each not in made and _SLICE.search(each.lower()) for each in others):
                said.update(others)
        forms = {each: _form(each, each in said) for each in stems} | _split_forms(stems)
        unsaid = {each: form for each, form in forms.items() if each not in said}
        forms |= (ids := _short_id_forms(unsaid, made))
        return cls(forms, ids, Counter(forms.values()), frozenset(said), frozenset(made))


@lru_cache(maxsize=1 << 16)
def _form(stem: str, is_slice: bool) -> str:
    text = stem
    if len(text) >= 8:
        text = _MADE.sub(lambda match: match["edition"] or "#", text)
    text = re.sub("(?<=[a-z])V(?=[0-9])", "_v", text).lower()
    text = _LONG.sub(_id_masked, text)
    pattern = _IN_SLICE if is_slice else _IN_NUMBER
    text = pattern.sub(lambda match: match["said"] or "#", text)
    return _GAPS.sub("_", text).strip("_")


def _id_masked(match: re.Match[str]) -> str:
    return "#" if is_id(match[0]) and not _SLICE.search(match[0]) else match[0]


def counted(name: str) -> str:
    """The name with `*` for each number and id."""
    return re.sub("[0-9]+", "*", IDS.sub("*", name))


@dataclass(frozen=True, slots=True)
class FolderShapes:
    """The paths of folders with `#` for each number or id; years, months and days below each other
    stay, where no moment or id in the file's own name says that a machine gave them."""

    siblings: dict[str, Forms]
    known: dict[tuple[str, bool], tuple[str, int]]

    @classmethod
    def of(cls, paths: Iterable[Sequence[str]]) -> "FolderShapes":
        """The shapes of folders, each given with those that it lies in."""
        inside: dict[str, set[str]] = defaultdict(set)
        for path in paths:
            for above, folder in pairwise(path):
                inside[above].add(folder.rpartition("/")[2])
        return cls({above: Forms.of(names) for above, names in inside.items()}, {})

    def of_path(self, folder: str, file: str) -> str | None:
        """The shape of the folder and of the file in it; None where no folder has a number."""
        is_made = bool(IDS.search(file) or INSTANT.search(file))
        shape, _ = self._of_folder(folder, is_made)
        return f"{shape}/{_form(stem(file), not is_made)}" if "#" in shape else None

    def _of_folder(self, folder: str, is_made: bool) -> tuple[str, int]:
        """The shape, and how many of year, month and day its last names are."""
        if not folder:
            return "", 0
        if found := self.known.get((folder, is_made)):
            return found
        above, _, name = folder.rpartition("/")
        shape, dated = self._of_folder(above, is_made)
        is_slice = not is_made and name in self.siblings[above].said
        if is_slice and _YEAR.fullmatch(name):
            text, dated = name, 1
        elif dated and not is_made and _BELOW_YEAR[dated].fullmatch(name):
            text, dated = name, (dated + 1) % 3
        else:
            text, dated = self.siblings[above].ids.get(name) or _form(name, is_slice), 0
        found = f"{shape}/{text}".lstrip("/"), dated
        self.known[folder, is_made] = found
        return found


def _split_forms(stems: Collection[str]) -> dict[str, str]:
    """The forms of names that Unix `split` gives: `xaa`, `xab`; most that could be are there."""
    starts: dict[tuple[str, int], list[str]] = {}
    for each in stems:
        letters = len(each) - len(each.rstrip("a"))
        if letters > 1 and each[:-1] + "b" in stems:
            starts[each[:-letters], letters] = []
    if not starts:
        return {}
    for each in stems:
        for letters in {letters for _, letters in starts}:
            start, end = each[:-letters], each[-letters:]
            if (start, letters) in starts and re.fullmatch("[a-z]+", end):
                starts[start, letters].append(each)
    found = {}
    for (start, letters), members in starts.items():
        last = 0
        for letter in max(each[-letters:] for each in members):
            last = last * 26 + ord(letter) - ord("a")
        if 2 * len(members) > last:
            found.update(dict.fromkeys(members, f"{_form(start, True)}_#"))
    return found


def _short_id_forms(forms: Mapping[str, str], made: Collection[str]) -> dict[str, str]:
    """The forms of names that differ by one token of one length, where many mix letters and digits:
    pods' and runs' ids (`x2kqz`, `4f7k`), shards' hexadecimal digits (`a1`, `0c`)."""
    if not any(map(_BORDER.search, forms)):
        return {}
    places: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    mixed: set[tuple[str, int]] = set()
    for each in sorted(forms):
        text = _MADE.sub("#", each) if each in made else each
        tokens = _GAPS.sub("_", text.lower()).strip("_").split("_")
        masked = ["#" if is_id(token) else token for token in tokens]
        for place, token in enumerate(tokens):
            if len(token) > 1:
                key = "_".join([*masked[:place], "#", *masked[place + 1 :]]), len(token)
                places[key][each] = token
                if _BORDER.search(token) and not _SAYING.search(token):
                    mixed.add(key)
    found: dict[str, str] = {}  # by the form without: all that share it stay together
    for key in sorted(mixed, key=lambda key: (-len(places[key]), key)):
        form, members = key[0], places[key]
        ids = _short_ids(set(members.values())) if len(members) > 1 else ()
        chosen = [forms[each] for each, token in members.items() if token in ids]
        form = next((found[each] for each in chosen if each in found), form)
        found.update((each, found.get(each, form)) for each in chosen)
    return {each: found[form] for each, form in forms.items() if form in found}


def _short_ids(tokens: Collection[str]) -> Collection[str]:
    """Those of the tokens of one length that a machine gave: `north1` and `jan24` are no such."""
    borders = {each: len(_BORDER.findall(each)) for each in tokens if not _TWO_FOR_TO.match(each)}
    made = sum(map(bool, borders.values())) + sum(not re.search("[aeiouy0-9]", t) for t in tokens)
    sure = sum(count > 1 for count in borders.values())
    is_long = all(len(each) > 3 for each in tokens) and len(tokens) > 1
    if is_long and 2 * made >= len(tokens) and 3 * sure >= len(tokens):
        return tokens
    hexes = {each for each in tokens if re.fullmatch("[0-9a-f]+", each)}
    digits = {each for each in hexes if not each.isalpha()}
    if len(hexes) < 3 or 3 * len(digits) < len(hexes) or not any(map(borders.get, hexes)):
        return ()
    return hexes if len(hexes) == len(tokens) else digits


def is_id(token: str) -> bool:
    """Whether the token is hexadecimal, or letters and digits mixed as only a machine does it."""
    digits = sum(map(str.isdigit, token))
    if not digits or digits == len(token):
        return digits > 0
    if len(token) < 8:
        return False
    if re.fullmatch("[0-9a-fA-F]+", token):
        return True
    borders = len(re.findall(r"(?<=[0-9])(?=[^\W\d_])|(?<=[^\W\d_])(?=[0-9])", token))
    return borders >= 4
