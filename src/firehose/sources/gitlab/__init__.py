"""GitLab, by its webhooks and system hooks."""

from firehose.sources.gitlab.gitlab import SOURCE

__all__ = ["SOURCE"]
