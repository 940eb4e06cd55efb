"""No mutation of a shared reference payload makes a source stumble: each ends in one counted verdict of the real gate.

The gate has a safety net: whatever a source raises beyond its contract is booked as `unreadable`, so that the hub does
not end. Here falling into that net is a failure: a source must say itself what is wrong with a payload.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sources.mutations import broken, changed
from tests.sources.samples import FOLDERS, OWN, PLAIN, samples

from firehose import source
from firehose.bus.memory import MemoryBus
from firehose.errors import Refused
from firehose.intake.gate import Gate
from firehose.intake.instance import Instance
from firehose.intake.ledger import Ledger
from firehose.ops.explain import Payload, explain
from firehose.plumbing.clock import now
from firehose.plumbing.tasks import Crew
from firehose.source import Delivery

KINDS = sorted({kind for kind, _ in PLAIN.values()} | {"forgejo"})
FEW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@cache
def of(shared: Path, kind: str) -> list[Payload]:
    """The payloads of a kind of source, with the headers that its service would give them."""
    found = []
    for sample in samples(shared):
        if sample.kind == kind:
            told = explain(kind, sample.payload, now(), settings=OWN.get(kind))
            headers = {**told.get("headers", {}), **sample.payload.headers}
            found.append(msgspec.structs.replace(sample.payload, headers=headers))
    return found


def instances(kind: str) -> dict[str, Instance]:
    """Two sources: one for everybody, one for an audience, which lets private payloads get further."""
    declared = source.load(kind)
    own: dict[str, Any] = {"kind": kind, **OWN.get(kind, {})}
    return {
        name: Instance(name, declared, msgspec.convert({**own, **more}, declared.settings))
        for name, more in (("public", {}), ("private", {"audience": "security"}))
    }


async def go_in(kind: str, payload: Payload) -> Ledger:
    """Through the gate, by both sources; the ledger afterwards."""
    ledger, served = Ledger(now), instances(kind)

    async def known(ids: Sequence[str]) -> Mapping[str, int]:
        return {}

    gate = Gate(MemoryBus(), ledger, served, known)
    crew = Crew()
    crew.start("gate", gate.run())
    try:
        for instance in served.values():
            ledger.open(msgspec.structs.replace(instance.opening, since=now()))
            delivery = Delivery(
                source=instance.name, body=payload.body, received=now(), headers=payload.headers, topic=payload.topic
            )
            try:
                await gate.accept(delivery)
            except Refused as problem:
                if problem.slug == "unreadable":
                    raise AssertionError(f"{kind} stumbled over {payload}") from problem.__cause__
    finally:
        await crew.stop()
    return ledger


def check(kind: str, payload: Payload) -> None:
    books = asyncio.run(go_in(kind, payload))
    assert [sum(health.verdicts.values()) for health in books.report()] == [1, 1]


def test_every_folder_is_among_these(shared: Path) -> None:
    assert {sample.kind for sample in samples(shared)} == set(KINDS)
    assert {sample.folder for sample in samples(shared)} == set(FOLDERS)
    assert all(of(shared, kind) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_changed_fields(shared: Path, kind: str, data: st.DataObject) -> None:
    check(kind, data.draw(changed(of(shared, kind))))


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_damaged_bytes_headers_and_topics(shared: Path, kind: str, data: st.DataObject) -> None:
    check(kind, data.draw(broken(of(shared, kind))))
