"""The one ordered stream: the seam, the engine behind it, and the mirror to MQTT."""
