"""Zuul's own Gerrit watcher, run by Zuul's own Python: each event that its driver makes of the stream, as a JSON line.

In: `python zuul_watcher.py PORT KEYFILE`. The SSH listener, the reading of events and the queue that waits for merges
are Zuul's classes; only the election (ZooKeeper) and the scheduler are not there.
"""

import contextlib
import json
import sys
import time

from zuul.driver.gerrit import gerriteventssh
from zuul.driver.gerrit.gerritconnection import PeekQueue
from zuul.driver.gerrit.gerritmodel import GerritTriggerEvent


class Election:
    def __init__(self, *_args: object) -> None:
        pass

    def run(self, job: object) -> None:
        job()

    def is_still_valid(self) -> bool:
        return True

    def cancel(self) -> None:
        pass


class QueuedEvent(dict):
    zuul_event_ltime = 0


class Connection:
    """What the listener asks of a connection. `addEvent` does what the real one does before ZooKeeper."""

    connection_name = "gerrit"
    canonical_hostname = "review.example.org"
    ssh_timeout = 10

    class sched:
        zk_client = None

    def __init__(self) -> None:
        self.queue = PeekQueue(self.released, 0)

    def addEvent(self, data: dict) -> None:
        GerritTriggerEvent.fromGerritEventDict(data, None, self, None)
        now = time.time()  # noqa: TID251 - there is no Firehose in Zuul's Python
        self.queue.append(QueuedEvent(timestamp=now, payload=data))
        self.queue.run()

    def released(self, event: dict) -> None:
        made = GerritTriggerEvent.fromGerritEventDict(event["payload"], event["timestamp"], self, None)
        row = {"type": made.type, "project": made.project_name, "change": made.change_number,
               "patch": made.patch_number, "branch": made.branch, "newrev": made.newrev}  # fmt: skip
        print(json.dumps(row), flush=True)


def main() -> None:
    port, key = sys.argv[1:]
    gerriteventssh.EventReceiverElection = Election
    config = {"user": "zuul", "sshkey": key, "server": "review.example.org", "ssh_server": "127.0.0.1", "port": port}
    listener = gerriteventssh.GerritSSHEventListener(Connection(), config)
    with contextlib.suppress(KeyboardInterrupt):
        listener.run()


main()
