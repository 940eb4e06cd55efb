"""Sessions of people: what a browser shows counts only from the hub's own pages, and only while the token holds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from tests.pages.stage import Planned, Stage

from firehose.history.papers import Paper
from firehose.notify.rules import Draft, Place
from firehose.plumbing.clock import now
from firehose.query.parse import parse
from firehose.query.tree import Is

PLACE = {"kind": "page"}


@pytest.fixture
async def ada(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    token, _ = stage.tokens.create(["person:ada"])
    async with httpx.AsyncClient(base_url=stage.url) as client:
        answer = await client.post("/notify/sign-in", data={"token": token}, headers={"origin": stage.url})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert token not in cookie
        assert "httponly" in cookie.lower()
        assert "samesite=lax" in cookie.lower()
        yield client


@pytest.mark.parametrize(("headers", "status"), [
    ({"sec-fetch-site": "same-origin"}, 201), ({"sec-fetch-site": "cross-site"}, 403),
    ({"sec-fetch-site": "same-site"}, 403), ({"origin": "https://evil.example"}, 403), ({}, 403),
])  # fmt: skip
async def test_what_another_site_makes_a_browser_send_is_refused(
    ada: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await ada.post("/v1/notify/places", json=PLACE, headers=headers)
    assert answer.status_code == status, answer.text
    form = await ada.post("/notify/person", data={"daily": "08:00"}, headers=headers)
    assert form.status_code == (303 if status == 201 else 403)


async def test_what_somebody_was_told_has_the_limits_of_every_list(ada: httpx.AsyncClient) -> None:
    assert [(await ada.get(f"/v1/notify/told?limit={limit}")).status_code for limit in (0, 1, 500, 501)] == [
        400,
        200,
        200,
        400,
    ]


async def test_a_revoked_token_ends_its_sessions_at_once(stage: Stage, ada: httpx.AsyncClient) -> None:
    assert (await ada.get("/v1/notify")).json()["person"]["name"] == "ada"
    (token,) = stage.tokens.all()
    stage.tokens.revoke(token.number)
    assert (await ada.get("/v1/notify")).status_code == 401
    assert "Sign in" in (await ada.get("/notify", headers={"accept": "text/html"})).text


async def test_a_cookie_that_somebody_changed_is_none(stage: Stage, ada: httpx.AsyncClient) -> None:
    own = ada.cookies["firehose-session"]
    number, until, mac = own.split(".")
    for forged in (
        f"{int(number) + 1}.{until}.{mac}",
        f"{number}.{int(until) + 9}.{mac}",
        f"{number}.{until}.x",
        "x",
        "",
    ):
        async with httpx.AsyncClient(base_url=stage.url, cookies={"firehose-session": forged}) as eve:
            assert (await eve.get("/v1/notify")).status_code == 401


async def test_no_secret_of_a_place_is_given_back(stage: Stage, ada: httpx.AsyncClient) -> None:
    same = {"sec-fetch-site": "same-origin"}
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = await ada.post("/v1/notify/places", headers=same, json={
        "kind": "webhook", "to": "https://hook.example.org/private/path?key=1", "secret": secret})  # fmt: skip
    assert made.status_code == 201, made.text
    everything = (await ada.get("/v1/notify")).text + (await ada.get("/notify")).text
    assert "hook.example.org" in everything
    for hidden in (secret, "private/path", "key=1"):
        assert hidden not in everything
    wrong = await ada.post("/v1/notify/places", headers=same, json={
        "kind": "push", "to": "https://push.example/x", "keys": {"p256dh": "AAAA", "auth": "AAAA"}})  # fmt: skip
    assert (wrong.status_code, wrong.json()["field"]) == (400, "keys")


@pytest.mark.parametrize(("path", "given", "field"), [
    ("places", {"kind": "webhook", "to": "http://h:99999/"}, "to"),
    ("places", {"kind": "webhook", "to": "http://[::1"}, "to"),
    ("places", {"kind": "push", "to": "https://[::1", "keys": {"p256dh": "x", "auth": "y"}}, "to"),
    ("mutes", {"subject": "nova~1", "hours": 1e9}, "hours"),
    ("mutes", {"subject": "nova~1", "hours": -5}, "hours"),
])  # fmt: skip
async def test_what_cannot_be_kept_is_refused_by_its_field_and_not_kept(
    stage: Stage, ada: httpx.AsyncClient, path: str, given: dict[str, object], field: str
) -> None:
    answer = await ada.post(f"/v1/notify/{path}", json=given, headers={"sec-fetch-site": "same-origin"})
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    kept = (await ada.get("/v1/notify")).json()
    assert not kept["mutes"]
    assert [place["kind"] for place in kept["places"]] == ["page"]


async def test_an_address_that_was_kept_and_is_no_url_is_shown_by_its_beginning(
    stage: Stage, ada: httpx.AsyncClient
) -> None:
    assert stage.office is not None
    for number, to in enumerate(("http://h:99999/secret", "http://[::1/secret", "tgram://12345:secret/7")):
        place = Place(id=f"p{number}", owner="ada", kind="webhook", to=to)
        stage.office.papers.put(Paper("place", place.id, "ada", msgspec.json.encode(place)))
    answer = await ada.get("/v1/notify")
    assert answer.status_code == 200
    assert [place["to"] for place in answer.json()["places"] if place["kind"] == "webhook"] == [
        "http://…", "http://…", "tgram://…"]  # fmt: skip
    page = await ada.get("/notify", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "secret/7" not in page.text


async def test_a_link_leaves_out_a_project_whatever_its_name(stage: Stage, ada: httpx.AsyncClient) -> None:
    assert stage.office is not None
    desk, project = stage.office.desk, 'a "b" c\\d'
    (place,) = (await desk.kept("ada")).places
    rule = await desk.save_rule("ada", Draft(title="All", query="kind:change.*", to=place.id))
    planned = Planned(id="odd", kind="change.merged", subject="x~1", time=now(), project=project)
    sequence = await stage.play("gerrit", planned)
    assert await stage.reader.wait(sequence, 10)
    word = desk.links.reason(place.id, sequence, [rule.id])
    answer = await ada.post(f"/notify/why/{word}", data={"act": "project"})
    assert answer.status_code == 200
    (kept,) = (await desk.kept("ada")).rules
    assert parse(kept.exclude, now()) == Is("project", project)
