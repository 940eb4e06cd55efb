"""Nodepool's own launcher and builder with its own `fake` cloud, in Nodepool's Python: the records of a node, its
request and an image, step by step.

In: `python nodepool_records.py FOLDER HOST:PORT CA CERT KEY EVENT BUILDSET`, then a line of standard input for each
step. Out: a line for each step, with the name of what it was about. What Zuul does (asks, uses, lets go) is done with
Nodepool's classes, too. The cloud waits at its doors, so that no state goes by before the hub saw it.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from nodepool.builder import NodePoolBuilder
from nodepool.driver import Drivers
from nodepool.driver.fake import FakeDriver, adapter
from nodepool.launcher import NodePool
from nodepool.zk import ZooKeeperClient, zookeeper

CONFIG = """
elements-dir: {folder}
images-dir: {folder}/images
build-log-dir: {folder}/logs
zookeeper-servers: [{{host: {host}, port: {port}}}]
zookeeper-tls: {{ca: {ca}, cert: {cert}, key: {key}}}
zookeeper-timeout: 60.0
labels: [{{name: trixie, min-ready: 0}}, {{name: windows, min-ready: 0}}]
providers:
  - name: cloud-b
    cloud: fake
    driver: fake
    region-name: North
    rate: 0.0001
    cloud-images: [{{name: Fake Precise}}, {{name: one that the cloud does not have}}]
    diskimages: [{{name: trixie-image}}]
    pools:
      - name: main
        max-servers: 2
        labels:
          - {{name: trixie, cloud-image: Fake Precise, min-ram: 8192}}
          - {{name: windows, cloud-image: one that the cloud does not have, min-ram: 8192}}
diskimages:
  - name: trixie-image
    elements: [debian]
    dib-cmd: /bin/sh {folder}/build
"""
CLOUDS = "clouds: {fake: {auth: {username: fake, password: not-for-you, project_id: fake, auth_url: fake}}}\n"
BUILD = """read -r _ < {folder}/door
while [ "$1" != -o ]; do shift; done
echo image > "$2.qcow2"
"""


class Cloud(adapter.FakeOpenStackCloud):
    """The `fake` cloud, which starts, deletes and takes nothing before it may."""

    boot, delete, upload = threading.Event(), threading.Event(), threading.Event()

    def _finish(self, obj: object, delay: float, status: str) -> None:
        self.boot.wait()
        super()._finish(obj, delay, status)

    def delete_server(self, *args: object, **more: object) -> object:
        self.delete.wait()
        return super().delete_server(*args, **more)

    def create_image(self, **more: object) -> object:
        self.upload.wait()
        return super().create_image(**more)


def request(label: str, event: str, buildset: str) -> zookeeper.NodeRequest:
    """What Zuul's scheduler asks for."""
    found = zookeeper.NodeRequest()
    found.state = zookeeper.REQUESTED
    found.node_types = [label]
    found.requestor = "zuul.lumen.example"
    found.requestor_data = {
        "buildset_uuid": buildset, "tenant_name": "lumen", "pipeline_name": "check", "job_name": "unit-tests",
        "span_info": {"token": "not-for-you"},
    }  # fmt: skip
    found.event_id, found.tenant_name, found.created_time = event, "lumen", found.state_time
    return found


def story(zk: zookeeper.ZooKeeper, config: Path, event: str, buildset: str) -> Iterator[object]:
    """What happens; a stop after each thing that the hub is to see on its own."""
    asked = request("trixie", event, buildset)
    zk.storeNodeRequest(asked)
    yield asked.id
    launcher = NodePool(None, str(config), watermark_sleep=0.2)
    launcher.delete_interval = 0.2
    launcher.daemon = True
    launcher.start()
    yield asked.id
    Cloud.boot.set()
    yield asked.id
    zk.updateNodeRequest(asked)
    node = zk.getNode(asked.nodes[0])
    zk.lockNode(node)
    node.state, node.comment, node.user_data = zookeeper.IN_USE, "runs unit-tests", "not-for-you"
    zk.storeNode(node)
    zk.deleteNodeRequest(asked)
    yield node.id, node.launcher.rpartition("-")[0]
    node.state = zookeeper.USED
    zk.storeNode(node)
    yield node.id
    zk.unlockNode(node)
    yield node.id
    Cloud.delete.set()
    yield node.id
    asked = request("windows", event, buildset)
    zk.storeNodeRequest(asked)
    yield asked.id
    builder = NodePoolBuilder(str(config), num_uploaders=1)
    builder.build_interval = builder.upload_interval = 0.2
    builder.start()
    yield "trixie-image"
    (config.parent / "door").write_text("open\n")
    yield "trixie-image"
    Cloud.upload.set()
    yield zk.getBuildIds("trixie-image")[0]


def main() -> None:
    folder, hosts, ca, cert, key, event, buildset = sys.argv[1:]
    logging.basicConfig(level=logging.INFO)
    host, _, port = hosts.partition(":")
    config = Path(folder) / "nodepool.yaml"
    config.write_text(CONFIG.format(folder=folder, host=host, port=port, ca=ca, cert=cert, key=key))
    (config.parent / "clouds.yaml").write_text(CLOUDS)
    (config.parent / "build").write_text(BUILD.format(folder=folder))
    (config.parent / "images").mkdir()
    os.mkfifo(config.parent / "door")
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(config.parent / "clouds.yaml")
    adapter.FakeAdapter.fake_cloud = Cloud
    # It would load every driver, and with them the libraries of every cloud.
    Drivers.drivers["fake"] = FakeDriver()
    client = ZooKeeperClient(hosts, timeout=60.0, tls_ca=ca, tls_cert=cert, tls_key=key)
    client.connect()
    steps = story(zookeeper.ZooKeeper(client, enable_cache=False), config, event, buildset)
    for _ in sys.stdin:
        print(json.dumps(next(steps, None)), flush=True)
    # As its own daemon ends.
    os._exit(0)


main()
