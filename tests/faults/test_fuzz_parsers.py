"""Every parser that meets bytes from outside, fed with damaged and random ones: only our own errors come out.

What is fed is in `fuzz/targets.py`; `make fuzz` feeds the same for longer, led by what the code does with it.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS, Target, feed

EXAMPLES = {"description": 40, "weights": 25, "metadata": 40}
TEXT = (
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b"'",
    b"=",
    b",",
    b";",
    b"\n",
    b"\r",
    b"\0",
    b"-",
    b"9" * 30,
    b"9" * 5000,
    b"[" * 3000,
    b"\xff",
    b"\\u0000",
)
NAMES = st.one_of(
    st.sampled_from(["", ".", "..", "../a", "/dev/zero", "a\0b", "\ud800", "x" * 300, "x/" * 2500]),
    st.text(max_size=5),
)
LONG = st.sampled_from(["x" * 300, "x" * 5000])
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), LONG),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=4,
)


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Draw a valid file with some bytes changed, put in, left out, or cut off."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.sampled_from(["flip", "flip", "put", "text", "cut", "out"])):
            case "flip" if data:
                data[place] ^= 1 << draw(st.integers(0, 7))
            case "put":
                data[place:place] = draw(st.binary(max_size=4))
            case "text":
                data[place:place] = draw(st.sampled_from(TEXT))
            case "cut":
                del data[place:]
            case _:
                del data[place : place + draw(st.integers(1, 40))]
    return bytes(data)


@st.composite
def altered(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Draw valid JSON in which one value, or its name, has become another, or is missing."""
    whole = json.loads(draw(st.sampled_from(seeds)))
    inside: Any = whole
    while isinstance(inside, dict | list) and inside:
        key = draw(st.sampled_from(sorted(inside) if isinstance(inside, dict) else range(len(inside))))
        if not (isinstance(inside[key], dict | list) and inside[key]) or draw(st.integers(0, 3)) == 0:
            break
        inside = inside[key]
    match draw(st.sampled_from(["out", "name", "value", "value"])):
        case "out" if isinstance(inside, dict):
            del inside[key]
        case "name" if isinstance(inside, dict):
            inside[draw(NAMES)] = inside.pop(key)
        case _:
            inside[key] = draw(VALUES)
    return json.dumps(whole).encode()


@pytest.fixture(scope="module", params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Target, Path]:
    place = tmp_path_factory.mktemp(request.param)
    TARGETS[request.param].prepare(place)
    return request.param, TARGETS[request.param], place


def test_valid_bytes_are_taken(target: tuple[str, Target, Path]) -> None:
    name, parser, place = target
    if name != "inception":  # its weights are large, and these some of them
        assert any(feed(parser, data, place) for data in parser.seeds())


def test_damaged_bytes_are_taken_or_refused_in_a_line(target: tuple[str, Target, Path]) -> None:
    name, parser, place = target
    seeds = parser.seeds()
    kinds = [damaged(seeds), st.binary(max_size=200)]
    if all(data.startswith(b"{") for data in seeds):
        kinds += [altered(seeds), altered(seeds)]

    @given(st.one_of(kinds))
    @settings(
        max_examples=EXAMPLES.get(name, 150),
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    def test(data: bytes) -> None:
        feed(parser, data, place)

    test()
