"""Zuul's own records, written to ZooKeeper by Zuul's own classes in Zuul's own Python: a node's life, step by step.

In: `python zuul_launcher.py HOSTS EVENT BUILDSET`, then a line of standard input for each step. Out: a line for each
step, with the ids. What a scheduler and a launcher do between the steps (clouds, quotas) is left out.
"""

import json
import logging
import sys
import threading

from kazoo.client import KazooClient
from zuul.driver.openstack.openstackmodel import OpenstackProviderNode
from zuul.model import ImageBuildArtifact, ImageUpload, NodesetRequest
from zuul.zk.zkobject import ZKContext


def story(context: ZKContext, event: str, buildset: str) -> object:
    """What happens; a stop after each thing that the hub is to see on its own."""
    request = NodesetRequest.new(
        context, tenant_name="lumen", pipeline_name="check", buildset_uuid=buildset, job_uuid="j1",
        job_name="unit-tests", labels=["trixie"], priority=300, zuul_event_id=event, span_info={"token": "not-for-you"},
    )  # fmt: skip
    yield request.uuid
    request.updateAttributes(context, state=request.State.ACCEPTED)
    yield request.uuid
    node = OpenstackProviderNode.new(
        context, label="trixie", connection_name="cloud-b", provider="review.lumen.example/lumen%2Fzuul/cloud-b",
        zuul_event_id=event, kubernetes_connection={"token": "not-for-you"}, node_properties={"a": "not-for-you"},
    )  # fmt: skip
    node.assign(context, request.uuid, "lumen")
    yield node.uuid
    for state in ("BUILDING", "READY"):
        with node.activeContext(context):
            node.setState(node.State[state])
            node.host_keys = ["not-for-you"]
        yield node.uuid
    with request.activeContext(context):
        request.addProviderNode(node)
        request.state = request.State.FULFILLED
    yield request.uuid
    for state in ("IN_USE", "USED"):
        with node.activeContext(context):
            node.setState(node.State[state])
        yield node.uuid
    request.delete(context)
    node.delete(context)
    yield node.uuid
    image = "review.lumen.example/lumen%2Fzuul/trixie"
    artifact = ImageBuildArtifact.new(
        context, uuid="33cc44dd", canonical_name=image, name="trixie", build_uuid="b0b1b2b3", format="qcow2",
        url="https://user:not-for-you@storage.lumen.example/trixie", _state="ready", state_time=1_760_000_000.0,
    )  # fmt: skip
    yield artifact.uuid
    upload = ImageUpload.new(
        context, uuid="11aa22bb", canonical_name=image, artifact_uuid=artifact.uuid, endpoint_name="cloud-b/North",
        providers=[], _state="uploading", state_time=1_760_000_100.0,
    )  # fmt: skip
    yield upload.uuid
    with upload.activeContext(context):
        upload.state = upload.State.READY
    yield upload.uuid


def main() -> None:
    hosts, event, buildset = sys.argv[1:4]
    client = KazooClient(hosts=hosts, timeout=20)
    client.start()
    with ZKContext(client, None, threading.Event(), logging.getLogger("zuul")) as context:
        steps = story(context, event, buildset)
        for _ in sys.stdin:
            print(json.dumps(next(steps, None)), flush=True)
    client.stop()


main()
