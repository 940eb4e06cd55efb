"""Fedora's message bus: fedora-messaging, and what fedmsg left behind."""

from firehose.sources.fedora.fedora import SOURCE

__all__ = ["SOURCE"]
