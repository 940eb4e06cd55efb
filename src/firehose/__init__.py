"""Firehose: the event hub and operations console of a software project's infrastructure."""

__version__ = "0.1.0"
