"""The schema of Firehose's messages for fedora-messaging."""

from firehose_messages.event import EventV1

__all__ = ["EventV1"]
