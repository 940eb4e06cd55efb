"""Nodepool and Zuul's launchers, by their ZooKeeper."""

from firehose.sources.nodepool.nodepool import SOURCE

__all__ = ["SOURCE"]
