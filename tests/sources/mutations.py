"""Mutations of payloads, as Hypothesis strategies: what a sender's bug, a bad line or an enemy makes of a good one.

In: payloads. Out: `changed` ones (still JSON: fields dropped, replaced, doubled, of another type, nested deep, huge,
strange text) and `broken` ones (cut off, bytes flipped, lone surrogates, another one's headers or topic).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import msgspec
from hypothesis import strategies as st

from firehose.ops.explain import Payload

STRANGE: list[Any] = [
    None, True, False, 0, -1, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, 0.5, "", " ", "x", "\x00", "\u202e", "💥" * 9,
    "a b", "#+*>/%", "refs/heads/", "0" * 40, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-14:00", "2026-02-30",
    "javascript:alert(1)", "https://[", "https://x/\u2028", "x" * 5_000, "1_0", "nan", "٣", [], {}, [[]], [{}], {"": 0},
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from([each for each in STRANGE if isinstance(each, str)]), st.text(max_size=30))
_KEY = re.compile(rb'"[\w-]+"(?=\s*:)')


def deep(value: Any, levels: int) -> Any:
    for level in range(levels):
        value = [value] if level % 2 else {"deeper": value}
    return value


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a payload something can be changed."""
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [place for key, inner in items for place in ((*path, key), *places(inner, (*path, key)))]


def put(value: Any, place: tuple[Any, ...], new: Any, *, drop: bool = False) -> None:
    for key in place[:-1]:
        value = value[key]
    if drop:
        del value[place[-1]]
    else:
        value[place[-1]] = new


@st.composite
def torn(draw: st.DrawFn, body: bytes) -> bytes:
    """A text (a mail) with lines dropped, doubled, moved or made strange."""
    lines = body.split(b"\n")
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(lines) - 1))
        strange = [b"", lines[place] * 3, b"\xff\xfe\x00", lines[place][: len(lines[place]) // 2], b"=?utf-8?q?=ZZ?="]
        new = (
            draw(st.sampled_from(strange))
            if draw(st.booleans())
            else draw(st.text(max_size=40)).encode("utf-8", "replace")
        )
        lines[place : place + draw(st.integers(0, 2))] = [new]
        lines = lines or [b""]
    return b"\n".join(lines)


@st.composite
def changed(draw: st.DrawFn, samples: Sequence[Payload]) -> Payload:
    """A sample with one to four changes."""
    sample = draw(st.sampled_from(samples))
    try:
        value = json.loads(sample.body)
    except ValueError:
        return Payload(body=draw(torn(sample.body)), headers=sample.headers, topic=sample.topic)
    for _ in range(draw(st.integers(1, 4))):
        found = places(value)
        if not found:
            break
        place = draw(st.sampled_from(found))
        strange = st.one_of(
            st.sampled_from(STRANGE),
            st.text(max_size=30),
            st.integers(),
            st.builds(deep, st.just("x"), st.integers(1, 200)),
        )
        # A copy: a later change may go into a list that was put in, and the examples must stay what they are.
        put(value, place, deepcopy(draw(strange)), drop=draw(st.booleans()) and draw(st.booleans()))
    body = json.dumps(value, ensure_ascii=draw(st.booleans()))
    return Payload(body=body.encode("utf-8", "surrogatepass"), headers=sample.headers, topic=sample.topic)


@st.composite
def broken(draw: st.DrawFn, samples: Sequence[Payload]) -> Payload:
    """A sample whose bytes are cut off or changed, or with a strange header or topic, or those of another one."""
    sample, other = draw(st.sampled_from(samples)), draw(st.sampled_from(samples))
    match draw(st.sampled_from(["bytes", "bytes", "header", "topic", "other", "bare"])):
        case "bytes":
            return msgspec.structs.replace(sample, body=draw(damaged(sample.body)))
        case "header" if sample.headers:
            name = draw(st.sampled_from(sorted(sample.headers)))
            return msgspec.structs.replace(sample, headers={**sample.headers, name: draw(TEXTS)})
        case "topic":
            return msgspec.structs.replace(sample, topic="/".join(draw(st.lists(TEXTS, max_size=8))))
        case "other":
            return Payload(body=sample.body, headers=other.headers, topic=other.topic)
    return Payload(body=sample.body)


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """Bytes cut off, flipped, put into another shape; a key that comes twice; lone surrogates."""
    found = bytearray(body)
    match draw(st.sampled_from(["cut", "flip", "surrogate", "twice", "wrapped", "joined"])):
        case "cut":
            del found[draw(st.integers(0, len(found))) :]
        case "flip":
            for place in draw(st.lists(st.integers(0, max(0, len(found) - 1)), max_size=12)):
                if found:
                    found[place] ^= draw(st.integers(1, 255))
        case "surrogate":
            found = bytearray(body.replace(b': "', b': "\\ud800', 3))
        case "twice":
            key = draw(st.sampled_from(_KEY.findall(body) or [b'"type"']))
            place = draw(st.sampled_from([brace.end() for brace in re.finditer(rb"[{]", body)] or [0]))
            value = json.dumps(draw(st.sampled_from(STRANGE))).encode()
            found[place:place] = key + b": " + value + b", "
        case "wrapped":
            levels = draw(st.integers(1, 90))
            return b"[" * levels + body + b"]" * levels
        case "joined":
            return body + b"\n" + body
    return bytes(found)
