"""Runs inside the environment of the real fedora-messaging library, alone: publishes, or consumes and prints.

`publish FILE`: each line `{"class", "topic", "body", "severity"}` with `api.publish`, then one line, its id.
`consume QUEUE COUNT`: prints a line of what each message says of itself, as its class has it.
`check BODY`: whether the library takes this body for our schema, as it does before a consumer's callback sees it.
`load FILE`: reads messages as the library keeps them, checks each, and prints its topic and id.
"""

import json
import sys
from pathlib import Path

from fedora_messaging import api, exceptions, message


class Said(message.Message):
    """What a service's own schema would be: it names people and packages."""

    @property
    def usernames(self):
        return self.body.get("people", [])

    @property
    def packages(self):
        return self.body.get("rpms", [])


def publish(file):
    message.load_message_classes()
    message._schema_name_to_class["said.v1"], message._class_to_schema_name[Said] = Said, "said.v1"
    for line in Path(file).read_text().splitlines():
        given = json.loads(line)
        sent = (Said if given["body"].get("people") else message.Message)(
            topic=given["topic"], body=given["body"], severity=given.get("severity", 20)
        )
        if "id" in given:
            sent.id = given["id"]
        api.publish(sent, timeout=60)
        print(sent.id, flush=True)


def consume(queue, count):
    left = [int(count)]

    def got(found):
        print(
            json.dumps(
                {
                    "class": f"{type(found).__module__}:{type(found).__name__}", "id": found.id, "topic": found.topic,
                    "severity": found.severity, "summary": found.summary, "url": found.url, "app": found.app_name,
                    "agent": found.agent_name, "usernames": found.usernames, "packages": found.packages,
                    "text": str(found), "headers": found._headers, "body": found.body,
                }
            ),
            flush=True,
        )  # fmt: skip
        left[0] -= 1
        if not left[0]:
            raise exceptions.HaltConsumer

    kept = {"durable": True, "auto_delete": False, "exclusive": False, "arguments": {}}
    try:
        api.consume(got, bindings=[], queues={queue: kept})
    except exceptions.HaltConsumer as done:
        if done.exit_code:
            raise


def check(body):
    from jsonschema import ValidationError

    try:
        message.get_class("firehose.event")(body=json.loads(body), topic="x").validate()
        print("taken")
    except ValidationError as error:
        print("refused:", error.message)


def load(file):
    for found in message.loads(Path(file).read_text()):
        found.validate()
        print(json.dumps([found.topic, found.id, found.severity]), flush=True)


{"publish": publish, "consume": consume, "check": check, "load": load}[sys.argv[1]](*sys.argv[2:])
