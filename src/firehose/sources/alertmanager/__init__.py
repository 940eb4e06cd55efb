"""Prometheus Alertmanager (and Grafana Alerting), by its webhook."""

from firehose.sources.alertmanager.alertmanager import SOURCE

__all__ = ["SOURCE"]
