"""Mailing lists, out of a mailbox that is subscribed to them."""

from firehose.sources.mailinglist.mailinglist import SOURCE

__all__ = ["SOURCE"]
