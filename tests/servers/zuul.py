"""A real Zuul: scheduler, merger and web of the `zuul` package, ZooKeeper with TLS, PostgreSQL, git repositories.

Its project `org/app` has two independent pipelines: `post`, whose job needs nobody and succeeds, and `hold`, whose job
waits for an executor that there is not. Admins are those whom `[auth shared]` or `[auth keys]` knows as `firehose`.
Its Gerrit driver looks for `stream-events` on the port `door`, as the user whose public key is `reader`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from firehose.bus.engine import free_port
from firehose.testing import need, peer

from .certificates import Authority
from .postgres import new_database

JARS = [Path(f"/usr/share/java/{name}.jar") for name in ("zookeeper", "netty-codec", "netty-resolver", "slf4j-simple")]
SECRET = "a secret that a hub and its Zuul share"
PATIENCE = 240
PIPELINES = """
- pipeline: {name: post, manager: independent}
- pipeline: {name: hold, manager: independent}
- job: {name: base, parent: null, run: run.yaml}
- project: {name: org/app, post: {jobs: [noop]}, hold: {jobs: [base]}}
"""
TENANTS = """
- authorization-rule: {name: hub, conditions: [{sub: firehose}]}
- tenant:
    name: acme
    admin-rules: [hub]
    source: {git: {config-projects: [org/config], untrusted-projects: [org/app]}}
"""


class Zuul:
    """A running Zuul. past, head: the last two commits of org/app's branch main. key: the private key whose public
    half it has."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.past, self.head = _repositories(folder / "repos")
        authority = Authority(folder / "ca")
        self.key, public = authority.keys("hub")
        self.zookeeper = free_port()
        self.tls = authority.issue("zuul", "localhost", "127.0.0.1")
        (folder / "tenants.yaml").write_text(TENANTS)
        self.door, private = free_port(), asyncssh.generate_private_key("ssh-ed25519")
        self.reader = private.export_public_key().decode().strip()
        identity = folder / "reader.key"
        identity.write_bytes(private.export_private_key())
        identity.chmod(0o600)
        self.settings = folder / "zuul.conf"
        pid = f"state_dir={folder}/state\ncommand_socket={folder}/state/"
        self.settings.write_text(
            f"[zookeeper]\nhosts=127.0.0.1:{self.zookeeper}\n"
            f"tls_cert={self.tls.certificate}\ntls_key={self.tls.key}\ntls_ca={authority.certificate}\n"
            f"[keystore]\npassword=secret\n[database]\ndburi={database}\n"
            f"[scheduler]\ntenant_config={folder}/tenants.yaml\n{pid}scheduler\n"
            f"[merger]\ngit_dir={folder}/git\ngit_user_email=zuul@example.org\ngit_user_name=Zuul\n{pid}merger\n"
            f"[web]\nlisten_address=127.0.0.1\nport={port}\n{pid}web\n"
            f"[connection git]\ndriver=git\nbaseurl=file://{folder}/repos\ncanonical_hostname=git.example.org\n"
            f"[connection gerrit]\ndriver=gerrit\nserver=review.example.org\nssh_server=127.0.0.1\n"
            f"port={self.door}\nuser=zuul\nsshkey={identity}\n"
            f"[auth shared]\ndriver=HS256\nrealm=shared\ndefault=true\nissuer_id=https://hub.example\nclient_id=zuul\n"
            f"secret={SECRET}\n"
            f"[auth keys]\ndriver=RS256\nrealm=keys\nissuer_id=https://keys.example\nclient_id=zuul\n"
            f"public_key={public}\n"
        )
        (folder / "state").mkdir()

    def get(self, path: str) -> Any:
        """JSON of the tenant's API; None while there is none."""
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/api/tenant/acme/{path}", timeout=60) as answer:
            return json.loads(answer.read())
        return None

    def triggers(self) -> list[str]:
        """The events that its Gerrit driver gave to the scheduler: type, project, branch, change."""
        mark = "Scheduling event from gerrit: <GerritTriggerEvent "
        return [row.partition(mark)[2].rstrip(">") for row in self.log("scheduler").splitlines() if mark in row]

    def log(self, part: str) -> str:
        """What a part of it said."""
        return (self.folder / f"{part}.log").read_text(errors="replace")

    @contextmanager
    def running(self) -> Iterator[Zuul]:
        """While the body runs."""
        with zookeeper(self.folder, self.zookeeper, self.tls), ExitStack() as stack:
            parts = {}
            for part in ("scheduler", "merger", "web"):
                log = stack.enter_context((self.folder / f"{part}.log").open("wb"))
                command = [peer("zuul", f"zuul-{part}"), "-c", str(self.settings), "-f", "-d"]
                process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
                parts[part] = stack.enter_context(_ended(process))
            deadline = time.monotonic() + PATIENCE
            while not {"post", "hold"} <= {pipeline["name"] for pipeline in self.get("pipelines") or []}:
                dead = [part for part, process in parts.items() if process.poll() is not None]
                assert not dead, (dead, self.log(dead[0])[-3_000:])
                assert time.monotonic() < deadline, self.log("scheduler")[-3_000:]
                time.sleep(0.5)
            yield self


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def zookeeper(folder: Path, port: int, tls: Any) -> Iterator[None]:
    """A ZooKeeper that speaks TLS only, as Zuul wants it: client certificates of its own authority."""
    java = need(shutil.which("java") if all(jar.exists() for jar in JARS) else None, "ZooKeeper")
    both = folder / "zookeeper.pem"
    both.write_bytes(tls.certificate.read_bytes() + tls.key.read_bytes())
    config = folder / "zoo.cfg"
    config.write_text(
        f"tickTime=500\ndataDir={folder}/zookeeper\nsecureClientPort={port}\nsecureClientPortAddress=127.0.0.1\n"
        "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\nadmin.enableServer=false\nforceSync=no\n"
        f"ssl.keyStore.location={both}\nssl.trustStore.location={tls.authority}\n"
    )
    command = [java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", ":".join(map(str, JARS))]
    with (folder / "zookeeper.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "org.apache.zookeeper.server.ZooKeeperServerMain", str(config)], stdout=log, stderr=log
        )
        with _ended(process):
            yield


def _repositories(folder: Path) -> tuple[str, str]:
    """org/config and org/app as bare repositories; the second one's commits. Zuul reads its tenant from `master`."""
    for name, branch, files in (
        ("config", "master", {"zuul.yaml": PIPELINES, "run.yaml": "- hosts: all\n"}),
        ("app", "main", {"README": "an application\n"}),
    ):
        work = folder / "work" / name
        work.mkdir(parents=True)
        _git(work, "init", "-q", "-b", branch)
        for file, text in files.items():
            (work / file).write_text(text)
        _git(work, "add", ".")
        _git(work, "commit", "-qm", "Begin")
        _git(work, "commit", "-qm", "Go on", "--allow-empty")
        _git(work, "clone", "-q", "--bare", str(work), str(folder / "org" / name))
    return _git(work, "rev-parse", "HEAD^"), _git(work, "rev-parse", "HEAD")


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def zuul(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Zuul]:
    """A running Zuul, one for all tests of a session."""
    need(shutil.which("bwrap"), "bubblewrap")
    peer("zuul", "zuul-web")
    with Zuul(tmp_path_factory.mktemp("zuul"), new_database(postgres_server)).running() as found:
        yield found
