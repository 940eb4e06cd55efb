"""What lies where in Nodepool's and Zuul's ZooKeeper, which of its fields may leave, and what its states mean: tables.

The fields are a list of what may leave, not of what may not: `connection_port` can hold a cluster's token,
`kubernetes_connection`, `user_data`, `driver_data`, `attributes` and `node_properties` can hold anything, and who adds
a field does not think of us.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Place(msgspec.Struct, frozen=True):
    """A pattern of paths. noun: what lies there. program: whose it is. fields: those that may leave."""

    noun: str
    program: str
    pattern: str
    fields: tuple[str, ...]


_NODE: Final = (
    "state", "state_time", "cloud", "provider", "az", "region", "host_id", "interface_ip", "public_ipv4", "public_ipv6",
    "connection_type", "comment", "hold_expiration", "resources", "slot",
)  # fmt: skip
PLACES: Final = (
    Place(
        "node", "nodepool", "/nodepool/nodes/*",
        (*_NODE, "pool", "type", "allocated_to", "image_id", "launcher", "created_time", "external_id", "hostname",
         "hold_job", "tenant_name", "requestor"),
    ),
    Place(
        "request", "nodepool", "/nodepool/requests/*",
        ("state", "state_time", "declined_by", "node_types", "nodes", "reuse", "requestor", "requestor_data",
         "provider", "relative_priority", "event_id", "created_time", "tenant_name"),
    ),
    Place(
        "build", "nodepool", "/nodepool/images/*/builds/*", ("state", "state_time", "builder", "builder_id", "formats"),
    ),
    Place(
        "upload", "nodepool", "/nodepool/images/*/builds/*/providers/*/images/*",
        ("state", "state_time", "external_id", "external_name", "format"),
    ),
    Place(
        "node", "launcher", "/zuul/nodes/nodes/*",
        (*_NODE, "uuid", "label", "label_aliases", "zuul_event_id", "request_time", "connection_name", "endpoint_name",
         "main_node_id", "subnodes", "executor_zone", "image_upload_uuid", "reuse", "quota", "request_id",
         "tenant_name"),
    ),
    Place("assignment", "launcher", "/zuul/nodes/nodes/*/assignment", ("request_id", "tenant_name")),
    Place(
        "request", "launcher", "/zuul/nodeset/requests/*",
        ("uuid", "state", "tenant_name", "pipeline_name", "buildset_uuid", "job_uuid", "job_name", "labels", "priority",
         "request_time", "zuul_event_id", "image_names", "image_upload_uuid", "preferred_provider", "nodes"),
    ),
    Place(
        "artifact", "launcher", "/zuul/images/artifacts/*",
        ("uuid", "_state", "state_time", "canonical_name", "name", "project_canonical_name", "project_branch",
         "build_tenant_name", "build_uuid", "format", "md5sum", "sha256", "timestamp", "validated"),
    ),
    Place(
        "upload", "launcher", "/zuul/image-uploads/uploads/*",
        ("uuid", "_state", "state_time", "canonical_name", "artifact_uuid", "build_uuid", "endpoint_name", "providers",
         "external_id", "timestamp", "validated", "attempt"),
    ),
)  # fmt: skip
REQUESTOR: Final = ("buildset_uuid", "tenant_name", "pipeline_name", "job_name")
"""The fields of `requestor_data` that may leave."""


class Meaning(msgspec.Struct, frozen=True):
    """What a state means. words: completes "Node 7 …"; `{since}` is how long that took, and `{why}` the reason."""

    kind: str
    outcome: str
    words: str
    severity: str = "info"


_CHANGED: Final = "environment.modified"
_RUNS: Final = "running"
STATES: Final = {
    "node": {
        "new": Meaning("environment.created", _RUNS, "was created"),
        "init": Meaning("environment.created", _RUNS, "was created"),
        "requested": Meaning("environment.created", _RUNS, "was created"),
        "pending": Meaning(_CHANGED, _RUNS, "waits"),
        "building": Meaning(_CHANGED, _RUNS, "is being launched"),
        "rebuilding": Meaning(_CHANGED, _RUNS, "is being rebuilt"),
        "registering": Meaning(_CHANGED, _RUNS, "is being registered"),
        "testing": Meaning(_CHANGED, _RUNS, "is being tested"),
        "ready": Meaning(_CHANGED, "success", "is ready{since}"),
        "slot-host": Meaning(_CHANGED, "success", "hosts other nodes{since}"),
        "in-use": Meaning(_CHANGED, _RUNS, "is in use"),
        "snapshot": Meaning(_CHANGED, _RUNS, "is being copied"),
        "used": Meaning(_CHANGED, "", "was used{since}"),
        "hold": Meaning(_CHANGED, "", "is held{why}", "notice"),
        "outdated": Meaning(_CHANGED, "", "is outdated"),
        "deregister": Meaning(_CHANGED, "", "is being taken out of service"),
        "deleting": Meaning(_CHANGED, "", "is being deleted"),
        "failed": Meaning(_CHANGED, "failure", "failed to launch{since}", "warning"),
        "tempfailed": Meaning(_CHANGED, "failure", "failed to launch{since}, another try follows", "notice"),
        "aborted": Meaning(_CHANGED, "cancel", "was given up{since}", "notice"),
        "deleted": Meaning(_CHANGED, "", "was deleted at its provider"),
        "gone": Meaning("environment.deleted", "", "is gone{since}"),
    },
    "request": {
        "requested": Meaning("environment.requested", "queued", "asks for {what}"),
        "pending": Meaning("environment.accepted", _RUNS, "was accepted{since}: {what}"),
        "accepted": Meaning("environment.accepted", _RUNS, "was accepted{since}: {what}"),
        "fulfilled": Meaning("environment.fulfilled", "success", "was fulfilled{since}: {what}"),
        "failed": Meaning("environment.declined", "failure", "was declined{since}: {what}{why}", "warning"),
        "aborted": Meaning("environment.cancelled", "cancel", "was given up{since}: {what}"),
        "withdrawn": Meaning("environment.cancelled", "cancel", "was withdrawn{since}: {what}"),
    },
    "build": {
        "building": Meaning("taskrun.started", _RUNS, "is being built"),
        "ready": Meaning("taskrun.finished", "success", "was built{since}"),
        "failed": Meaning("taskrun.finished", "failure", "failed to build{since}", "warning"),
        "gone": Meaning("artifact.deleted", "", "was removed"),
    },
    "upload": {
        "pending": Meaning("taskrun.queued", "queued", "waits for its upload"),
        "uploading": Meaning("taskrun.started", _RUNS, "is being uploaded"),
        "ready": Meaning("artifact.published", "success", "was uploaded{since}"),
        "failed": Meaning("taskrun.finished", "failure", "failed to upload{since}", "warning"),
        "gone": Meaning("artifact.deleted", "", "was removed"),
    },
    "artifact": {
        "ready": Meaning("artifact.packaged", "success", "was built"),
        "gone": Meaning("artifact.deleted", "", "was removed"),
    },
}
IGNORED: Final = {
    "request.gone": "Zuul deletes every request that was answered; the answer itself was told",
    "request.test-hold": "only in Zuul's own tests",
    "build.deleting": "told when it is gone",
    "upload.deleting": "told when it is gone",
    "artifact.deleting": "told when it is gone",
    "assignment": "told with the node's next state",
}
KINDS: Final = {f"{noun}.{state}": meaning.kind for noun, states in STATES.items() for state, meaning in states.items()}
OPEN: Final = ("requested", "pending", "accepted")
"""States of a request that nobody answered yet."""
