"""The class of types that count as one, as the tag that goes into a column's key."""

import re
from functools import lru_cache

from r2d2.model import Types

# A whole type, or one inside a list, map or struct; not a field's name, which a colon follows.
_NUMBER = re.compile(
    r"(?<![^<,:])(?:u?int(?:8|16|32|64)|float(?:16|32|64)|decimal\([^)]*\))(?![^,>])"
)


@lru_cache(maxsize=1 << 12)
def type_tag(logical_type: str, types: Types) -> str:
    """The matching class of a strict logical type: two columns match where their tags are equal.

    >>> type_tag("map<string,list<decimal(9,2)>>", Types.WIDENED)
    'map<string,list<number>>'
    """
    return _NUMBER.sub("number", logical_type) if types is Types.WIDENED else logical_type
