"""Forgejo and Gitea, by their webhooks."""

from firehose.sources.forgejo.forgejo import SOURCE

__all__ = ["SOURCE"]
