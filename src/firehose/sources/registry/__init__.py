"""Registries: what they say when a package or an image was published."""

from firehose.sources.registry.registry import SOURCE

__all__ = ["SOURCE"]
