"""The closed list of what the hub counts: name, labels, meaning. `/metrics` and the reference page come from it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()

deliveries = Counter(
    "firehose_deliveries", "Deliveries, each under exactly one verdict", ["source", "verdict"], registry=REGISTRY
)
refusals = Counter("firehose_refusals", "Refused deliveries by cause", ["source", "cause"], registry=REGISTRY)
events = Counter("firehose_events", "Events stored in the stream", ["source"], registry=REGISTRY)
batch = Histogram(
    "firehose_gate_batch_events",
    "Events that shared one acknowledgement of the stream",
    buckets=(1, 2, 5, 10, 50, 100, 500, 1000),
    registry=REGISTRY,
)
ack_seconds = Histogram(
    "firehose_gate_ack_seconds",
    "Time from a batch's first event to the stream's acknowledgement, seconds",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
    registry=REGISTRY,
)
head = Gauge("firehose_stream_head", "Sequence of the newest event in the stream", registry=REGISTRY)
recorded_head = Gauge("firehose_recorded_head", "Sequence of the newest event in the history", registry=REGISTRY)
unreadable = Counter(
    "firehose_unreadable_frames", "Frames in the stream that are no event and are not recorded", registry=REGISTRY
)
mirrored_head = Gauge("firehose_mirrored_head", "Sequence of the newest event given to MQTT", registry=REGISTRY)
readers = Gauge("firehose_readers", "Open live streams by encoding", ["encoding"], registry=REGISTRY)
delivered = Counter("firehose_delivered", "Events written to live streams", ["encoding"], registry=REGISTRY)
goodbyes = Counter("firehose_goodbyes", "Live streams that the hub ended, by cause", ["cause"], registry=REGISTRY)
untold = Counter(
    "firehose_untold", "Events that a door left out, as its readers could not stand their payload", ["door"],
    registry=REGISTRY,
)  # fmt: skip
engine_restarts = Counter("firehose_engine_restarts", "Restarts of the embedded engine", registry=REGISTRY)
recorder_restarts = Counter("firehose_recorder_restarts", "Restarts of the recorder's process", registry=REGISTRY)
log_lines = Gauge(
    "firehose_log_lines", "Log lines since the store began: kept, or counted only", ["source", "result"],
    registry=REGISTRY,
)  # fmt: skip
log_room_restarts = Counter("firehose_log_room_restarts", "Restarts of the log room's process", registry=REGISTRY)
spooled = Gauge("firehose_spooled", "Deliveries that wait on disk for the stream", ["source"], registry=REGISTRY)
sink_messages = Counter(
    "firehose_sink_messages", "Messages to sinks: sent, tries that failed, dead", ["sink", "result"], registry=REGISTRY
)
sink_lag = Gauge(
    "firehose_sink_lag_events", "Events between the stream's head and the oldest a sink has to send", ["sink"],
    registry=REGISTRY,
)  # fmt: skip
sink_seconds = Histogram(
    "firehose_sink_seconds",
    "Time from the stream's storing an event to its receiver's answer, seconds",
    ["sink"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 5, 60, 3600),
    registry=REGISTRY,
)
notify_letters = Counter(
    "firehose_notify_letters", "Letters that confirm or try a place of notifications: sent, dropped", ["result"],
    registry=REGISTRY,
)  # fmt: skip


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
