"""Ansible callback plugin: ships a run's plays, tasks, results and host summary to a Firehose hub, by HTTP or MQTT.

One file, to be copied to the machine that runs Ansible; it needs nothing but Ansible (and paho-mqtt for MQTT).
Callbacks only put a record into a bounded queue; a thread sends batches. A hub that is away neither slows nor fails
the play: at the end at most `finish_seconds` are spent, what is unsent then waits in the spool folder for the next run.
Of results only the listed fields leave, of `no_log` tasks none; arguments and variables never do.
"""

from __future__ import annotations

DOCUMENTATION = """
name: firehose
type: notification
short_description: ship runs to a Firehose hub
description: Ships plays, tasks, results and the host summary to a Firehose hub, in batches, by HTTP or MQTT.
options:
  url:
    description: The hub's address for the source, C(https://firehose.example.org/in/ansible).
    env: [{name: FIREHOSE_ANSIBLE_URL}]
    ini: [{section: callback_firehose, key: url}]
    default: ''
  token_file:
    description: A file with a hub token of the scope C(publish:<source>).
    env: [{name: FIREHOSE_ANSIBLE_TOKEN_FILE}]
    ini: [{section: callback_firehose, key: token_file}]
    default: ''
  ca_file:
    description: Certificates to trust besides the system's.
    env: [{name: FIREHOSE_ANSIBLE_CA_FILE}]
    ini: [{section: callback_firehose, key: ca_file}]
    default: ''
  mqtt:
    description: C(host:port) of the hub's MQTT listener, instead of C(url). C(mqtts://host:port) for TLS.
    env: [{name: FIREHOSE_ANSIBLE_MQTT}]
    ini: [{section: callback_firehose, key: mqtt}]
    default: ''
  mqtt_user:
    description: The producer's login.
    env: [{name: FIREHOSE_ANSIBLE_MQTT_USER}]
    ini: [{section: callback_firehose, key: mqtt_user}]
    default: ansible
  mqtt_topic:
    description: Where to publish.
    env: [{name: FIREHOSE_ANSIBLE_MQTT_TOPIC}]
    ini: [{section: callback_firehose, key: mqtt_topic}]
    default: in/ansible/run
  result_fields:
    description: The members of a task's result that are shipped.
    env: [{name: FIREHOSE_ANSIBLE_RESULT_FIELDS}]
    ini: [{section: callback_firehose, key: result_fields}]
    type: list
    default: [changed, failed, skipped, unreachable, rc, msg, reason, skip_reason, attempts, start, end, delta]
  refs:
    description: Subjects that the run belongs to, such as C(build/<uuid>) of a Zuul job.
    env: [{name: FIREHOSE_ANSIBLE_REFS}]
    ini: [{section: callback_firehose, key: refs}]
    type: list
    default: []
  finish_seconds:
    description: How long the end of a run may wait for the hub.
    env: [{name: FIREHOSE_ANSIBLE_FINISH_SECONDS}]
    ini: [{section: callback_firehose, key: finish_seconds}]
    type: float
    default: 5
  spool:
    description: A folder for what could not be sent; the next run sends it. Empty is none.
    env: [{name: FIREHOSE_ANSIBLE_SPOOL}]
    ini: [{section: callback_firehose, key: spool}]
    default: ~/.ansible/firehose-spool
"""

import json
import os
import queue
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible.plugins.callback import CallbackBase

MOST_WAITING = 20_000
MOST_IN_BATCH = 200
MOST_BYTES = 400_000
MOST_SPOOLED = 64 * 2**20
LONGEST_TEXT = 2_000
SEND_SECONDS = 10
BATCH_SECONDS = 0.5


class Rejected(Exception):
    """The hub will not take this, now or later. login: it would, from somebody else."""

    def __init__(self, text: str, login: bool = False) -> None:
        super().__init__(text)
        self.login = login


class Sender(threading.Thread):
    """The thread that sends: `put` never waits, `finish` waits a bounded time."""

    def __init__(self, send: Any, spool: Path | None, warn: Any) -> None:
        super().__init__(name="firehose", daemon=True)
        self._send, self._spool, self._warn = send, spool, warn
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(MOST_WAITING)
        self._unsent: list[bytes] = []
        self._ending = threading.Event()
        self._done = threading.Event()
        self.dropped = 0

    def put(self, record: dict[str, Any]) -> None:
        """Queue a record; counted as dropped when too many wait."""
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def finish(self, seconds: float) -> None:
        """Send what waits, within so many seconds; keep the rest in the spool."""
        self._ending.set()
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            pass
        if self._done.wait(max(0.0, seconds)):
            return
        left = list(self._unsent)
        while batch := self._batch(wait=False):
            left.append(batch)
        kept = self._keep(left)
        self._warn(
            f"firehose: the hub is away; {len(left)} batches of this run are {'in the spool' if kept else 'lost'}"
        )

    def run(self) -> None:
        """Send batches until the end; the spool's older ones first."""
        pause = 0.5
        self._unsent = []
        for file in self._spooled():
            try:
                self._send(file.read_bytes())
                file.unlink()
            except Rejected as error:
                if error.login:
                    break
                # It must not be in the way of those behind it; somebody may want to look at it.
                self._warn(f"firehose: {error}; {file} is no longer sent")
                file.rename(file.with_suffix(".refused"))
            except OSError:
                break
        while True:
            if not self._unsent:
                batch = self._batch(wait=True)
                if batch is None:
                    self._done.set()
                    return
                self._unsent = [batch]
            try:
                self._send(self._unsent[0])
                self._unsent = []
                pause = 0.5
            except Rejected as error:
                self._warn(f"firehose: {error}")
                self._unsent = []
            except OSError:
                self._ending.wait(pause) if not self._ending.is_set() else time.sleep(0.2)
                pause = min(pause * 2, 15)

    def _batch(self, wait: bool) -> bytes | None:
        records: list[bytes] = []
        size = 0
        until = time.monotonic() + BATCH_SECONDS
        while len(records) < MOST_IN_BATCH and size < MOST_BYTES:
            left = until - time.monotonic()
            try:
                if not wait or self._ending.is_set():
                    record = self._queue.get_nowait()
                elif not records:
                    record = self._queue.get()
                    until = time.monotonic() + BATCH_SECONDS
                else:
                    record = self._queue.get(timeout=max(0.0, left))
            except queue.Empty:
                break
            if record is not None:
                records.append(json.dumps(record, default=str).encode())
                size += len(records[-1])
        return b'{"ansible":1,"events":[' + b",".join(records) + b"]}" if records else None

    def _spooled(self) -> list[Path]:
        return sorted(self._spool.glob("*.json")) if self._spool is not None and self._spool.is_dir() else []

    def _keep(self, batches: list[bytes]) -> bool:
        if self._spool is None or not batches:
            return not batches
        try:
            self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            room = MOST_SPOOLED - sum(file.stat().st_size for file in self._spooled())
            if sum(map(len, batches)) > room:
                return False
            stamp = f"{time.time():.3f}"
            for number, batch in enumerate(batches):
                (self._spool / f"{stamp}-{os.getpid()}-{number:05d}.json").write_bytes(batch)
        except OSError:
            return False
        return True


def by_http(url: str, token: str, ca_file: str) -> Any:
    """A function that posts one batch."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)

    def send(body: bytes) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "firehose-ansible"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - the operator's address
        try:
            with urllib.request.urlopen(request, timeout=SEND_SECONDS, context=context):  # noqa: S310
                pass
        except urllib.error.HTTPError as error:
            if error.code in (408, 425, 429) or error.code >= 500:
                raise OSError(str(error)) from None
            said = error.read(400).decode("utf-8", "replace")
            raise Rejected(f"{url} answered {error.code}: {said}", login=error.code in (401, 403)) from None

    return send


def by_mqtt(place: str, user: str, password: str, topic: str, ca_file: str) -> Any:
    """A function that publishes one batch and waits until the hub has it; one connection for all."""
    import paho.mqtt.client as paho

    parts = urlsplit(place if "//" in place else f"mqtt://{place}")
    version = getattr(paho, "CallbackAPIVersion", None)
    client = paho.Client(version.VERSION2) if version else paho.Client()
    client.username_pw_set(user, password or None)
    if parts.scheme == "mqtts":
        client.tls_set(ca_file or None)
    state = {"started": False}

    def send(body: bytes) -> None:
        if not state["started"]:
            client.connect(parts.hostname or "localhost", parts.port or 1883, keepalive=30)
            client.loop_start()
            state["started"] = True
        info = client.publish(topic, body, qos=1)
        try:
            info.wait_for_publish(SEND_SECONDS)
            confirmed = info.is_published()
        except (RuntimeError, ValueError) as error:
            raise OSError(str(error)) from None
        if not confirmed:
            raise OSError("the hub did not confirm a batch")

    return send


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """What Ansible calls."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "firehose"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, display: Any = None) -> None:
        super().__init__(display)
        self._run = str(uuid.uuid4())
        self._controller = socket.getfqdn()
        self._counter = 0
        self._playbook = self._play = self._play_id = ""
        self._began = time.monotonic()
        self._sender: Sender | None = None
        self._fields: frozenset[str] = frozenset()
        self._refs: list[str] = []

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        """Read the options and start the sender; without an address the plugin does nothing."""
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        option = self.get_option
        self._fields = frozenset(option("result_fields"))
        self._refs = [str(ref) for ref in option("refs")]
        spool = Path(option("spool")).expanduser() if option("spool") else None
        try:
            secret = Path(option("token_file")).expanduser().read_text().strip() if option("token_file") else ""
            if option("mqtt"):
                send = by_mqtt(option("mqtt"), option("mqtt_user"), secret, option("mqtt_topic"), option("ca_file"))
            elif option("url").startswith(("https://", "http://")):
                send = by_http(option("url"), secret, option("ca_file"))
            else:
                self._display.warning("firehose: no url and no mqtt address is set; nothing is shipped")
                return
        except (OSError, ImportError) as error:
            self._display.warning(f"firehose: {error}; nothing is shipped")
            return
        self._sender = Sender(send, spool, self._display.warning)
        self._sender.start()

    def _ship(self, kind: str, **more: Any) -> None:
        if self._sender is None:
            return
        self._counter += 1
        self._sender.put(
            {
                "event": kind, "id": f"{self._run}:{self._counter}", "session": self._run, "counter": self._counter,
                "time": datetime.now(timezone.utc).isoformat(),  # noqa: UP017 - Ansible's own Python may be older
                "host": self._controller, "playbook": self._playbook, "playbook_name": self._play,
                "playbook_id": self._play_id, "refs": self._refs, **more,
            }
        )  # fmt: skip

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """The run begins."""
        self._playbook = os.path.basename(playbook._file_name)
        self._ship("run_start", check=bool((self._context_args()).get("check")))

    def _context_args(self) -> Any:
        from ansible import context

        return context.CLIARGS or {}

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A play begins."""
        self._play, self._play_id = play.get_name().strip(), str(play._uuid)
        self._ship("play_start", status="OK", ansible_type="start")

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task begins."""
        self._ship("task_start", **self._task(task))

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """A handler begins."""
        self._ship("task_start", handler=True, **self._task(task))

    def v2_playbook_on_cleanup_task_start(self, task: Any) -> None:
        """A clean-up task begins."""
        self._ship("task_start", **self._task(task))

    def _task(self, task: Any) -> dict[str, Any]:
        role = getattr(task, "_role", None)
        return {"ansible_task": task.get_name().strip(), "task_id": str(task._uuid), "action": task.action,
                "role": role.get_name() if role else "", "no_log": bool(task.no_log)}  # fmt: skip

    def _result(self, status: str, result: Any, **more: Any) -> None:
        # ansible-core 2.19 gave these public names.
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        raw = getattr(result, "result", None) or getattr(result, "_result", {}) or {}
        hidden = bool(task.no_log or raw.get("_ansible_no_log") or "censored" in raw)
        shown = {"censored": True} if hidden else {key: _short(raw[key]) for key in sorted(self._fields & raw.keys())}
        shown["changed"] = bool(raw.get("changed", False))
        self._ship(
            "result", ansible_type="task", status=status, ansible_host=host.get_name(), ansible_result=shown,
            **self._task(task), **more,
        )  # fmt: skip

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task went well on a host."""
        self._result("OK", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed on a host."""
        self._result("FAILED", result, ignored=bool(ignore_errors))

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task was skipped on a host."""
        self._result("SKIPPED", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host could not be reached."""
        self._result("UNREACHABLE", result)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """A play had no hosts."""
        self._ship("no_hosts")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run ends: the summary per host, and of all."""
        hosts: dict[str, dict[str, int]] = {}
        for name in sorted(stats.processed):
            found = stats.summarize(name)
            hosts[name] = {key: int(value) for key, value in found.items()}
            self._ship("stats", ansible_type="stats", ansible_host=name, stats=hosts[name])
        failed = any(one["failures"] or one["unreachable"] for one in hosts.values())
        total = {key: sum(one[key] for one in hosts.values()) for key in next(iter(hosts.values()), {})}
        seconds = round(time.monotonic() - self._began, 3)
        sender = self._sender
        self._ship(
            "run_finish", ansible_type="finish", status="FAILED" if failed else "OK", hosts=len(hosts), stats=total,
            seconds=seconds, failed_hosts=[n for n, one in hosts.items() if one["failures"] or one["unreachable"]][:50],
            dropped=sender.dropped if sender else 0,
        )  # fmt: skip
        if sender is not None:
            sender.finish(float(self.get_option("finish_seconds")))


def _short(value: Any) -> Any:
    """A result's member, so that one line of output cannot fill the hub."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
