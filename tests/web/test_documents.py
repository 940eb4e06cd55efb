"""The machine-readable documents are valid, and complete: no address without a description, none described in vain."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.web.conftest import Desk, toy_event

from firehose.query.params import NAMES
from firehose.web.api import openapi
from firehose.web.site import application

MACHINE = ("/v1/", "/openapi", "/asyncapi", "/healthz", "/readyz", "/metrics", "/problems")
RAW = {"/in/{source}", "/v1/stream", "/v1/stream/{filters}"}


async def test_the_openapi_document_is_valid(desk: Desk) -> None:
    document = (await desk.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def served(desk: Desk) -> set[tuple[str, str]]:
    found = set()
    for route in application(desk.hub).routes:
        path = re.sub(r":[a-z]+}", "}", route.path_format if hasattr(route, "path_format") else route.path)
        if path.startswith(MACHINE):
            found |= {
                (path, method.lower())
                for method in getattr(route, "methods", ())
                if method in ("GET", "POST", "PUT", "DELETE")
            }
    return found


async def test_every_address_is_described_and_every_description_is_served(desk: Desk) -> None:
    described = {(path, method) for path, entry in openapi.PATHS.items() for method in entry}
    assert {pair for pair in described if pair[0] not in RAW} == served(desk)


async def test_every_common_parameter_is_described_where_it_works(desk: Desk) -> None:
    for path in ("/v1/events", "/v1/stream"):
        described = {entry["name"] for entry in openapi.PATHS[path]["get"]["parameters"]}
        # order=desc has no meaning on a stream, which runs forward.
        assert set(NAMES) - {"order"} <= described
        answer = await desk.http.get(f"{path}?{'&'.join(f'{name}=' for name in NAMES)}&until=latest")
        assert answer.status_code == 200, answer.text


async def test_the_asyncapi_document_says_where_mqtt_is(desk: Desk) -> None:
    document = (await desk.http.get("/asyncapi.json")).json()
    assert document["asyncapi"] == "3.1.0"
    assert document["servers"]["mqtt"] == {"host": "127.0.0.1:1883", "protocol": "mqtt", "protocolVersion": "3.1.1"}
    for operation in document["operations"].values():
        name = operation["channel"]["$ref"].removeprefix("#/channels/")
        (message,) = operation["messages"]
        assert message["$ref"].removeprefix(f"#/channels/{name}/messages/") in document["channels"][name]["messages"]


async def test_what_an_address_answers_is_described(desk: Desk) -> None:
    await desk.feed(msgspec.structs.replace(toy_event("1", b"hello"), datacontenttype="text/plain"))
    await desk.feed(msgspec.structs.replace(toy_event("1"), source="https://other.example"))
    assert await desk.hub.reader.wait(2, 10)
    asked = [
        ("GET", "/v1/events/{ref}", "/v1/events/1", "*/*"),
        ("GET", "/v1/events/{ref}", "/v1/events/seq:1", "*/*"),
        ("GET", "/v1/events/{ref}", "/v1/events/seq:1", "text/html"),
        ("GET", "/v1/events/{ref}", "/v1/events/seq:1?as=raw", "*/*"),
        ("GET", "/v1/events/{ref}", "/v1/events/seq:2?as=raw", "*/*"),
        ("GET", "/v1/events", "/v1/events", "text/html"),
        ("GET", "/v1/stream", "/v1/stream/ws", "*/*"),
    ]
    for method, path, address, accept in asked:
        answer = await desk.http.request(method, address, headers={"accept": accept})
        described = openapi.PATHS[path][method.lower()]["responses"][str(answer.status_code)]
        if answer.content:
            assert answer.headers["content-type"].partition(";")[0] in described["content"], address
    assert {"405", "408"} <= set(openapi.PATHS["/in/{source}"]["post"]["responses"])


async def test_the_asyncapi_document_names_every_channel(desk: Desk) -> None:
    document = (await desk.http.get("/asyncapi.json")).json()
    assert {channel["address"] for channel in document["channels"].values()} == {
        "events/{source}/{noun}/{predicate}/{project}", "$meta/head", "$meta/sources", "$meta/sinks", "in/{source}",
        "/v1/stream", "/v1/stream/{filters}",
    }  # fmt: skip
    assert len(document["operations"]) == len(document["channels"])


async def test_the_asyncapi_document_fits_the_official_schema(desk: Desk) -> None:
    file = Path(__file__).parents[2] / "node_modules/@asyncapi/specs/schemas/3.1.0-without-$id.json"
    if not file.exists():
        pytest.skip("node_modules has no @asyncapi/specs; ./run assets installs it")
    document = (await desk.http.get("/asyncapi.json")).json()
    jsonschema.Draft7Validator(json.loads(file.read_text())).validate(document)
