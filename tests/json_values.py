"""For property tests: settings, any JSON, and sound JSON with something in it replaced or dropped."""

import copy
import json
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

STEADY = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=int(os.environ.get("PIVA_EXAMPLES", 60)),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
"""The same examples on every machine and in every run. PIVA_EXAMPLES asks for more of them."""

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-2, 10),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", ".", "..", "../x", "/etc/passwd", "a/../../b", "\0", "\ud800", "x" * 5000, "1" * 12, "NaN"]),
)
"""Numbers may be NaN or infinite, as Python writes and reads them; text may hold half of a surrogate pair."""

ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def spoiled(draw: st.DrawFn, sound: Any) -> Any:
    """`sound` with one to three of its parts replaced by any JSON, or dropped."""
    content = copy.deepcopy(sound)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(content))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        if draw(st.booleans()) or isinstance(holder, list):
            holder[key] = draw(ANY_JSON)
        else:
            del holder[key]
    return content


def text_of(content: Any) -> bytes:
    """The JSON as a file; halves of surrogate pairs are written as escapes, as anyone may write them."""
    return json.dumps(content).encode()


def can_be_shown(problem: Exception) -> None:
    """What the error says goes to a terminal and into records: sentences in UTF-8, each on a line of its own."""
    for said in (str(problem), *getattr(problem, "problems", ())):
        said.encode()
        assert "\0" not in said
    assert all(len(said.splitlines()) == 1 for said in getattr(problem, "problems", ()))


def _places(content: Any):
    """Every (holder, key) below `content`."""
    open_parts = [content]
    while open_parts:
        part = open_parts.pop()
        keys = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
        for key in keys:
            yield part, key
            open_parts.append(part[key])
