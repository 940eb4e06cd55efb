"""Any other MQTT broker."""

from firehose.sinks.mqtt.mqtt import SINK

__all__ = ["SINK"]
