"""The read API: pages with cursors, one event, counts, the graph, and how finite answers behave."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from urllib.parse import parse_qsl, quote, urlsplit
from xml.etree import ElementTree

import feedparser
import httpx
import jsonschema
import msgspec
import pytest
from tests.web.conftest import Desk, toy_event
from tests.web.reading import lines

from firehose.event import Recorded, encode
from firehose.web.api.schemas import EVENT, PAGE, PROBLEM

ATOM = "{http://www.w3.org/2005/Atom}"


async def test_pages_go_on_by_cursor_until_there_is_nothing_further(desk: Desk) -> None:
    await desk.give(*[str(number) for number in range(1, 8)])
    seen: list[str] = []
    address: str | None = "/v1/events?limit=3"
    while address:
        page = (await desk.http.get(address)).json()
        jsonschema.validate({**page, "events": []}, PAGE)
        for event in page["events"]:
            jsonschema.validate(event, EVENT)
        seen += [event["id"] for event in page["events"]]
        address = page["links"]["next"]
    assert seen == ["7", "6", "5", "4", "3", "2", "1"]


async def test_filters_are_those_of_every_other_address(desk: Desk) -> None:
    await desk.give("1", project="demo/one")
    await desk.give("2", project="demo/two")
    for query in ("project=demo/two", "not_project=demo/one", "q=project:demo/two", "since=seq:2", "subject=demo~2"):
        found = (await desk.http.get(f"/v1/events?{query}")).json()["events"]
        assert [event["id"] for event in found] == ["2"], query


async def test_one_event_by_sequence_and_by_id_at_once_after_the_answer(desk: Desk) -> None:
    posted = (await desk.post(b'{"kind":"merged","names":["change/1"]}')).json()
    by_sequence = await desk.http.get(f"/v1/events/{posted['sequence']}")
    assert by_sequence.json()["id"] == "change/1"
    assert await desk.hub.reader.wait(1, 10)
    assert (await desk.http.get("/v1/events/change/1")).json() == by_sequence.json()
    assert (await desk.http.get("/v1/events/seq:1?as=raw")).json() == {"kind": "merged", "names": ["change/1"]}
    converted = (await desk.http.get("/v1/events/seq:1?as=cdevents")).json()
    assert converted["context"]["type"].startswith("dev.cdevents.change.merged.")
    missing = await desk.http.get("/v1/events/99999999999999999999")
    assert missing.status_code == 404
    jsonschema.validate(missing.json(), PROBLEM)


@pytest.mark.parametrize("id_", ["/a/b c", "x//y", "//z", "end/", "%2F", "a&b+c?d#e"])
async def test_any_id_can_be_fetched(desk: Desk, id_: str) -> None:
    await desk.give("a", id_, "a/b c", "z", "x/y", "end")
    answer = await desk.http.get(f"/v1/events/{quote(id_, safe='')}")
    assert (answer.status_code, answer.json().get("id")) == (200, id_)


async def test_raw_payloads_cannot_run_in_a_browser(desk: Desk) -> None:
    await desk.give("1")
    answer = await desk.http.get("/v1/events/seq:1?as=raw")
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_same_query_as_lines_feed_and_chart(desk: Desk) -> None:
    await desk.give("1", '<&"\x00')
    lines = await desk.http.get("/v1/events", headers={"accept": "application/x-ndjson"})
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == ['<&"\x00', "1"]
    feed = ElementTree.fromstring((await desk.http.get("/v1/events?format=atom")).content)
    assert len(feed.findall(f"{ATOM}entry")) == 2
    read = feedparser.parse((await desk.http.get("/v1/events?format=atom&q=kind:change.merged")).content)
    assert (read.bozo, read.version, len(read.entries)) == (False, "atom10", 2)
    assert all(entry.id and entry.title and entry.updated_parsed and entry.link for entry in read.entries)
    answer = await desk.http.get("/v1/events?label=x", headers={"accept": "application/feed+json"})
    assert answer.headers["content-type"].startswith("application/feed+json")
    assert (answer.json()["version"], len(answer.json()["items"])) == ("https://jsonfeed.org/version/1.1", 2)
    chart = await desk.http.get("/v1/events?q=kind:change.merged", headers={"accept": "image/svg+xml"})
    assert ElementTree.fromstring(chart.content).tag.endswith("svg")
    assert "2 events" in chart.text
    nothing = ElementTree.fromstring((await desk.http.get("/v1/events?format=svg&q=kind:nothing.such")).content)
    assert "0 events" in "".join(nothing.itertext())


async def test_a_badge_says_how_many_and_escapes_what_it_is_told(desk: Desk) -> None:
    await desk.give("1", "2")
    answer = await desk.http.get("/v1/events", params={"format": "badge", "q": "kind:change.merged", "label": '<m"&>'})
    assert answer.headers["content-type"].startswith("image/svg+xml")
    badge = ElementTree.fromstring(answer.content)
    assert badge.get("aria-label") == '<m"&>: 2 in 24 h'
    named = await desk.http.get("/v1/events?format=badge&q=kind:nothing.such")
    assert named.status_code == 200
    assert "0 in 24 h" in named.text


@pytest.mark.parametrize(
    "query", ["limit=1&as=raw", "format=ndjson&limit=1&as=raw", "project=demo/one&format=json&limit=1"]
)
async def test_links_keep_every_parameter(desk: Desk, query: str) -> None:
    await desk.give("1", "2", "3")
    address, seen = f"/v1/events?{query}", []
    while address:
        answer = await desk.http.get(address)
        seen.append(parse_qsl(urlsplit(address).query))
        if "ndjson" not in query:
            assert parse_qsl(urlsplit(answer.json()["links"]["self"]).query) == seen[-1]
        address = answer.links["next"]["url"] if "next" in answer.links else ""
    asked = parse_qsl(query)
    assert seen == [asked, [*asked, ("cursor", f"{3:020d}")], [*asked, ("cursor", f"{2:020d}")]]


@pytest.mark.parametrize(("kind", "media"), [("atom", "application/atom+xml"), ("jsonfeed", "application/feed+json")])
async def test_a_feed_names_its_own_address(desk: Desk, kind: str, media: str) -> None:
    await desk.give("1", "2")
    query = "q=kind:change.merged&cursor=2"
    for address, accept in ((f"/v1/events?{query}", media), (f"/v1/events?format={kind}&{query}", "*/*")):
        answer = await desk.http.get(address, headers={"accept": accept})
        link = ElementTree.fromstring(answer.content).find(f"{ATOM}link[@rel='self']") if kind == "atom" else None
        own = answer.json()["feed_url"] if link is None else link.get("href") or ""
        assert parse_qsl(urlsplit(own).query) == [*parse_qsl(query), ("format", kind)]


def record(desk: Desk, *ages: timedelta) -> None:
    """One event recorded so long ago for each age, from sequence 1 on."""
    frames = [encode("toy", toy_event(str(number))) for number in range(1, len(ages) + 1)]
    moments = [desk.hub.now() - age for age in ages]
    triples = enumerate(zip(moments, frames, strict=True), 1)
    desk.hub.reader.store.append([Recorded(number, at, frame) for number, (at, frame) in triples])


def drawn(answer: httpx.Response) -> str:
    return ElementTree.fromstring(answer.content).get("aria-label") or ""


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ("since=seq:2&until=seq:3", "1 in 1 min"),
        ("since=seq:2&until=seq:4", "2 in 30 h"),
        ("since=earliest", "4 in 500 days"),
        ("since=latest", "0 in 1 min"),
        ("until=seq:3", "1 in 24 h"),
        ("since=10m", "1 in 10 min"),
        ("since=90m", "2 in 90 min"),
        ("since=2h", "2 in 2 h"),
        ("since=1h", "1 in 1 h"),
        ("since=600d", "4 in 600 days"),
        ("", "2 in 24 h"),
    ],
)
async def test_a_badge_counts_within_the_span_that_it_names(desk: Desk, span: str, words: str) -> None:
    record(desk, timedelta(days=500), timedelta(hours=31), timedelta(hours=1, minutes=1), timedelta(minutes=5))
    desk.hub.live.start_at(4)
    answer = await desk.http.get(f"/v1/events?format=badge&label=x&{span}")
    assert drawn(answer) == f"x: {words}"


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ("since=seq:2&until=seq:4", "2, 0 of them failed, at most 1 per hour"),
        ("since=earliest", "4, 0 of them failed, at most . per 2 days"),
        ("since=2000-01-01", "4, 0 of them failed, at most . per \\d+ days"),
        ("since=30d", "3, 0 of them failed, at most . per day"),
    ],
)
async def test_a_chart_shows_the_whole_span(desk: Desk, span: str, words: str) -> None:
    record(desk, timedelta(days=500), timedelta(hours=31), timedelta(hours=1, minutes=1), timedelta(minutes=5))
    assert re.search(f" {words}$", drawn(await desk.http.get(f"/v1/events?format=svg&{span}")))


@pytest.mark.parametrize("kind", ["badge", "svg"])
@pytest.mark.parametrize(
    "span", ["since=2d&until=3d", "since=seq:3&until=seq:2", "since=9000-01-01", "since=seq:3&until=2d"]
)
async def test_a_span_that_ends_before_it_begins_is_refused(desk: Desk, kind: str, span: str) -> None:
    record(desk, timedelta(hours=3), timedelta(hours=2), timedelta(hours=1))
    answer = await desk.http.get(f"/v1/events?format={kind}&{span}")
    assert (answer.status_code, answer.json().get("field")) == (400, "since")


async def test_counts_by_group_and_time(desk: Desk) -> None:
    await desk.give("1", "2", project="demo/one")
    await desk.give("3", project="demo/two")
    answer = (await desk.http.get("/v1/counts?by=project")).json()
    assert {row["group"]: row["count"] for row in answer["counts"]} == {"demo/one": 2, "demo/two": 1}
    assert (answer["total"], answer["truncated"]) == (3, False)
    answer = (await desk.http.get("/v1/counts?by=project&limit=1")).json()
    assert answer["counts"] == [{"count": 2, "group": "demo/one"}]
    assert (answer["total"], answer["truncated"]) == (3, True)
    answer = (await desk.http.get("/v1/counts?per=hour&since=seq:2")).json()
    assert answer["total"] == 2
    assert answer["counts"][0]["start"].endswith(":00:00.000000Z")


async def test_a_graph_is_everything_tied_to_a_thing(desk: Desk) -> None:
    await desk.give("1", "2")
    answer = (await desk.http.get("/v1/graph/demo~1")).json()
    assert [event["id"] for event in answer["events"]] == ["1"]
    assert (await desk.http.get("/v1/graph/nothing")).status_code == 404


@pytest.mark.parametrize("name", ["a&b+c d", "/x//y", "x#y?z%41"])
async def test_a_graph_can_be_followed_whatever_its_subject_is(desk: Desk, name: str) -> None:
    await desk.give("before", name, "after")
    answer = (await desk.http.get(f"/v1/graph/{quote(f'demo~{name}', safe='')}")).json()
    assert [event["id"] for event in answer["events"]] == [name]
    found = await lines(desk, f"{answer['links']['follow']}&since=earliest&until=latest&as=cdevents")
    assert len([line for line in found if "event" not in line]) == 1


async def test_a_query_is_explained_coloured_and_its_error_placed(desk: Desk) -> None:
    good = (await desk.http.get("/v1/query", params={"q": "kind:change.merged"})).json()
    assert good["error"] is None
    assert "".join(span["text"] for span in good["ink"]) == "kind:change.merged"
    assert "change.merged" in good["explanation"]
    bad = (await desk.http.get("/v1/query", params={"q": "knid:x"})).json()
    assert (bad["error"]["position"], bad["error"]["nearest"]) == (0, "kind")


async def test_the_hub_tells_of_its_sources_kinds_and_schemas(desk: Desk) -> None:
    await desk.give("1")
    (source,) = (await desk.http.get("/v1/sources")).json()["sources"]
    assert (source["name"], source["state"], source["verdicts"]["event"]) == ("toy", "healthy", 1)
    kinds = (await desk.http.get("/v1/kinds")).json()
    assert {"change.merged", "change.abandoned", "log.template.new"} <= set(kinds["kinds"])
    assert [word for word in kinds["kinds"] if not re.fullmatch(r"[a-z]+(\.[a-z]+)+", word)] == []
    schemas = (await desk.http.get("/v1/schemas")).json()["schemas"]
    schema = (await desk.http.get(schemas["event.json"])).json()
    jsonschema.Draft202012Validator.check_schema(schema)


async def test_the_quarantine_is_for_admins_and_gives_back_what_can_be_read(desk: Desk) -> None:
    await desk.post(b'{"kind":"exploded","names":["1"]}')
    assert (await desk.http.get("/v1/quarantine")).status_code == 401
    weak, _ = desk.hub.tokens.create(["publish:toy"])
    assert (await desk.http.get("/v1/quarantine", headers={"authorization": f"Bearer {weak}"})).status_code == 403
    text, _ = desk.hub.tokens.create(["admin"])
    admin = {"authorization": f"Bearer {text}"}
    for address in ("/v1/quarantine?limit=0", "/v1/deadletters?limit=0", "/v1/quarantine?limit=501"):
        assert (await desk.http.get(address, headers=admin)).status_code == 400, address
    (entry,) = (await desk.http.get("/v1/quarantine", headers=admin)).json()["entries"]
    assert (entry["number"], entry["source"], entry["cause"]) == (1, "toy", "unknown-kind")
    whole = (await desk.http.get("/v1/quarantine/1", headers=admin)).json()
    assert whole["body"] == '{"kind":"exploded","names":["1"]}'
    assert "x-toy-signature" not in whole["headers"]
    still = await desk.http.post("/v1/quarantine/1/retry", headers=admin)
    assert (still.status_code, still.json()["type"].rpartition("/")[2]) == (409, "unknown-kind")
    assert (await desk.http.post("/v1/quarantine/1/discard", headers=admin)).json()["discarded"]
    assert (await desk.http.delete("/v1/quarantine/1", headers=admin)).status_code == 404


async def test_a_page_has_a_tag_and_is_not_sent_twice(desk: Desk) -> None:
    await desk.give("1")
    first = await desk.http.get("/v1/events")
    again = await desk.http.get("/v1/events", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await desk.give("2")
    assert (await desk.http.get("/v1/events", headers={"if-none-match": first.headers["etag"]})).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_long_answers_are_compressed_when_the_client_takes_it(desk: Desk, encoding: str) -> None:
    await desk.give(*[str(number) for number in range(50)])
    plain = await desk.http.get("/v1/events", headers={"accept-encoding": "identity"})
    packed = await desk.http.get("/v1/events", headers={"accept-encoding": encoding})
    assert packed.headers["content-encoding"] == encoding
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.headers["etag"] != plain.headers["etag"]


async def test_head_options_and_cors(desk: Desk) -> None:
    await desk.give("1")
    head = await desk.http.head("/v1/events")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    assert head.headers["access-control-allow-origin"] == "*"
    options = await desk.http.options("/v1/events", headers={"origin": "https://x.example"})
    assert options.status_code == 204
    assert "GET" in options.headers["access-control-allow-methods"]


PROBLEMS = [
    ("/v1/events?limt=3", 400, "unknown-parameter"),
    ("/v1/events?limit=0", 400, "bad-parameter"),
    ("/v1/events?q=(", 400, "bad-query"),
    ("/v1/events?as=xml", 400, "bad-parameter"),
    ("/v1/events?since=someday", 400, "bad-parameter"),
    ("/v1/events?q=%ff", 400, "bad-parameter"),
    ("/v1/graph/demo~1?limit=0", 400, "bad-parameter"),
    ("/v1/graph/demo~1?limit=501", 400, "bad-parameter"),
    ("/v1/events/seq:1?a=raw", 400, "unknown-parameter"),
    ("/v1/details/seq:1?as=raw", 400, "unknown-parameter"),
    ("/v1/dumps?since=1h", 400, "unknown-parameter"),
    ("/v1/dumps/index.ndjson?a=1", 400, "unknown-parameter"),
    ("/v1/schemas?name=event.json", 400, "unknown-parameter"),
    ("/v1/schemas/event.json?v=2", 400, "unknown-parameter"),
    ("/v1/keys?id=1", 400, "unknown-parameter"),
    ("/v1/events?severity=bad", 400, "bad-parameter"),
    ("/v1/counts?by=colour", 400, "bad-parameter"),
    ("/v1/counts?by=kind&order=asc", 400, "bad-parameter"),
    ("/v1/counts?by=kind&cursor=0", 400, "bad-parameter"),
    ("/v1/nothing", 404, "not-found"),
    ("/v1/events?q=" + "x" * 20_000, 414, "bad-parameter"),
    ("/v1/schemas/other.json", 404, "not-found"),
]


@pytest.mark.parametrize(("path", "status", "slug"), PROBLEMS)
async def test_what_cannot_be_answered_is_a_problem(desk: Desk, path: str, status: int, slug: str) -> None:
    answer = await desk.http.get(path)
    assert answer.status_code == status
    jsonschema.validate(answer.json(), PROBLEM)
    assert answer.json()["type"].endswith(f"/{slug}")


async def test_a_post_to_a_reading_address_is_not_allowed(desk: Desk) -> None:
    answer = await desk.http.post("/v1/events", content=b"{}")
    assert answer.status_code == 405
    assert sorted(answer.headers["allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]


@pytest.mark.parametrize("path", ["/", "/problems/bad-query", "/v1/events/seq:1?as=raw", "/metrics"])
async def test_texts_say_their_encoding_once(desk: Desk, path: str) -> None:
    await desk.feed(msgspec.structs.replace(toy_event("1", b"hello"), datacontenttype="text/plain"))
    assert await desk.hub.reader.wait(1, 10)
    answer = await desk.http.get(path, headers={"accept": "*/*"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/")
    assert answer.headers["content-type"].count("charset=utf-8") == 1


async def test_health_and_metrics(desk: Desk) -> None:
    await desk.give("1")
    assert (await desk.http.get("/healthz")).status_code == 200
    assert (await desk.http.get("/readyz")).json()["status"] == "ready"
    page = await desk.http.get("/metrics")
    assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'firehose_deliveries_total{source="toy",verdict="event"}' in page.text
    desk.bus.away = True
    answer = await desk.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["engine"] != "ok"
