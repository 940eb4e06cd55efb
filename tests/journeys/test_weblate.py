"""Weblate's webhook add-on, signed as it signs, to MQTT and search."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

from tests.journeys.reader import everywhere, listening, search, sink
from tests.servers.hook import Receiver

from firehose import source
from firehose.plumbing import clock
from firehose.testing import StartHub

SAMPLES = Path(source.__file__).parent / "sources" / "weblate" / "samples"
KEY = b"a-secret-of-the-tests"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
SETTINGS = '[sources.l10n]\nkind = "weblate"\nurl = "https://l10n.lumen.example"\nsecret_env = "L10N_SECRET"\n'


def signed(name: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers as the add-on makes them: a timestamp with a fraction, a signature over whole seconds."""
    body = json.dumps(json.loads((SAMPLES / f"{name}.json").read_text())["body"]).encode()
    now, id_ = clock.now().timestamp(), hashlib.md5(body).hexdigest()
    signature = hmac.new(KEY, f"{id_}.{int(now)}.".encode() + body, hashlib.sha256).digest()
    return body, {
        "content-type": "application/json", "webhook-id": id_, "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }  # fmt: skip


def test_changes_of_translations_arrive(start_hub: StartHub, receiver: Receiver) -> None:
    hub = start_hub(SETTINGS + sink(receiver), environ={"L10N_SECRET": SECRET})
    with listening(hub, "events/l10n/#") as reader:
        for name in ("translation_changed__one", "comment_added__string", "repository_merge_failed__conflict"):
            assert hub.post("/in/l10n", *signed(name))[0] == 202
        assert hub.post("/in/l10n", *signed("user_added__ignored"))[1]["verdict"] == "ignored"
        body, headers = signed("project_created__plain")
        assert hub.post("/in/l10n", body, headers | {"webhook-signature": ""})[0] == 401
        assert hub.post("/in/l10n", body + b" ", headers)[0] == 403
        events = reader.wait(3)
    assert [event["topic"] for event in events] == [
        "events/l10n/translation/updated/atlas/app",
        "events/l10n/comment/added/atlas/app",
        "events/l10n/incident/detected/atlas/app",
    ]
    (found,) = search(hub, 'actor:mira "Kacheln malen"')
    assert everywhere(found, reader, receiver) == (
        "translation.updated", "atlas/app", "mira", "mira changed a translation in atlas/app/de: Draw tiles",
        "https://l10n.lumen.example/translate/atlas/app/de/?checksum=5f0b4e0e8a7a2f6f",
        "l10nproject/atlas component/atlas/app",
    )  # fmt: skip
