"""Launchpad, by its webhooks and its bug mail."""

from firehose.sources.launchpad.launchpad import SOURCE

__all__ = ["SOURCE"]
