"""Weblate, the translation platform, by its webhook add-on."""

from firehose.sources.weblate.weblate import SOURCE

__all__ = ["SOURCE"]
