"""Logs: lines go to the log room; what it finds in them comes here."""

from firehose.sources.logs.logs import SOURCE

__all__ = ["SOURCE"]
