"""Log lines from the programs that really send them: logger, rsyslog, systemd-journal-upload."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.reader import listening, until
from tests.servers.certificates import Authority

from firehose.bus.engine import free_port
from firehose.testing import HubProcess, StartHub, need

SETTINGS = """
[sources.logs]
kind = "logs"
trust = "production"
listen = "127.0.0.1:{http}"
syslog = "127.0.0.1:{tcp}"
syslog_tls = "127.0.0.1:{tls}"
tls_cert = "{folder}/hub.pem"
tls_key = "{folder}/hub.key"
tls_ca = "{folder}/authority.pem"
allow = ["127.0.0.1/32"]
readers = "everybody"
learn = 0
"""


class Ground:
    """A hub with a log room, its ports, and certificates."""

    def __init__(self, start_hub: StartHub, folder: Path) -> None:
        self.http, self.tcp, self.tls = free_port(), free_port(), free_port()
        self.folder = folder
        authority = Authority(folder)
        authority.issue("hub", "127.0.0.1")
        authority.issue("web01", "web01")
        self.hub: HubProcess = start_hub(SETTINGS.format(http=self.http, tcp=self.tcp, tls=self.tls, folder=folder))

    def lines(self, count: int) -> list[dict[str, Any]]:
        """The kept lines, once there are so many."""

        def found() -> list[dict[str, Any]] | None:
            newest = self.hub.get("/v1/logs/logs")["newest"]
            return self._around(newest) if newest >= count else None

        return until(found, f"{count} lines")

    def _around(self, number: int) -> list[dict[str, Any]]:
        url = f"{self.hub.url}/v1/logs/logs/{number}?context=200"
        request = urllib.request.Request(url, headers={"accept": "application/json"})
        with urllib.request.urlopen(request) as answer:
            lines: list[dict[str, Any]] = json.loads(answer.read())["lines"]
        return lines


@pytest.fixture
def ground(start_hub: StartHub, tmp_path: Path) -> Ground:
    return Ground(start_hub, tmp_path)


def told(line: dict[str, Any]) -> tuple[str, str, str, str]:
    return line["text"], line["severity"], line["unit"], line["publisher"]


def test_logger_over_tcp_with_octet_counts_and_with_line_ends(ground: Ground) -> None:
    logger = need(shutil.which("logger"), "logger (util-linux)")
    common = [logger, "--tcp", "--server", "127.0.0.1", "--port", str(ground.tcp), "--tag", "atlas"]
    with listening(ground.hub, "events/logs/#") as reader:
        subprocess.run([*common, "--rfc5424", "--octet-count", "-p", "daemon.err", "password=geheim gone"], check=True)
        subprocess.run([*common, "--rfc5424", "-p", "daemon.warning", "second"], check=True)
        lines = ground.lines(2)
        (event, *_) = reader.wait(1, kind="log.template.new")
    assert [told(line) for line in lines] == [
        ("password=<hidden> gone", "error", "atlas", "127.0.0.1"),
        ("second", "warning", "atlas", "127.0.0.1"),
    ]
    assert event["summary"] == "New in the log: password=<hidden> gone"
    assert event["severity"] == "error"


def rsyslog(ground: Ground, action: str, say: str) -> Callable[[], None]:
    """A real rsyslogd that forwards what it reads on a port of its own; gives what ends it."""
    program = need(shutil.which("rsyslogd", path="/usr/sbin:/usr/bin"), "rsyslogd")
    port = free_port()
    config = ground.folder / "rsyslog.conf"
    config.write_text(
        f'global(workDirectory="{ground.folder}")\nmodule(load="imtcp")\ninput(type="imtcp" port="{port}" '
        f'address="127.0.0.1")\n{action}\n'
    )
    process = subprocess.Popen([program, "-n", "-f", str(config), "-i", str(ground.folder / "rsyslog.pid")])
    logger = need(shutil.which("logger"), "logger (util-linux)")

    def sent() -> bool | None:
        common = [logger, "--tcp", "--server", "127.0.0.1", "--port", str(port), "--rfc5424", "--octet-count"]
        done = subprocess.run([*common, "-t", "api", "-p", "user.notice", say], check=False)
        return True if done.returncode == 0 else None

    until(sent, "rsyslogd listens")

    def end() -> None:
        process.terminate()
        process.wait(20)

    return end


def test_rsyslog_over_tcp(ground: Ground) -> None:
    end = rsyslog(
        ground,
        f'action(type="omfwd" target="127.0.0.1" port="{ground.tcp}" protocol="tcp" '
        'template="RSYSLOG_SyslogProtocol23Format" TCP_Framing="octet-counted")',
        "said to rsyslog",
    )
    try:
        line = ground.lines(1)[0]
    finally:
        end()
    assert told(line) == ("said to rsyslog", "notice", "api", "127.0.0.1")
    assert line["time"] > "2020"


def test_rsyslog_over_tls_is_called_by_its_certificate(ground: Ground) -> None:
    folder = ground.folder
    end = rsyslog(
        ground,
        f'global(DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="{folder}/authority.pem" '
        f'DefaultNetstreamDriverCertFile="{folder}/web01.pem" DefaultNetstreamDriverKeyFile="{folder}/web01.key")\n'
        f'action(type="omfwd" target="127.0.0.1" port="{ground.tls}" protocol="tcp" StreamDriver="gtls" '
        'StreamDriverMode="1" StreamDriverAuthMode="anon" template="RSYSLOG_SyslogProtocol23Format" '
        'TCP_Framing="octet-counted")',
        "said in secret",
    )
    try:
        line = ground.lines(1)[0]
    finally:
        end()
    assert told(line) == ("said in secret", "notice", "api", "web01")


def test_the_journal_as_systemd_uploads_it(ground: Ground) -> None:
    place = "/lib/systemd:/usr/lib/systemd"
    remote = need(shutil.which("systemd-journal-remote", path=place), "systemd-journal-remote")
    upload = need(shutil.which("systemd-journal-upload", path=place), "systemd-journal-upload")
    entries = b"".join(
        b"__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=6c7c6013a8c84d2cab8e1d6b0b5c3f3f\n"
        b"_MACHINE_ID=6c7c6013a8c84d2cab8e1d6b0b5c3f30\n_HOSTNAME=db1\nPRIORITY=%d\nSYSLOG_IDENTIFIER=sshd\n"
        b"MESSAGE=%b\n\n" % (1_760_001_600_000_000 + n * 1_000_000, n + 1, 3 + n % 4, text)
        for n, text in enumerate([b"first of the journal", b"second of the journal", b"token=geheim third"])
    )
    journal = ground.folder / "made.journal"
    subprocess.run([remote, "-o", str(journal), "-"], input=entries, check=True, capture_output=True)
    done = subprocess.run(
        [upload, "--url", f"http://127.0.0.1:{ground.http}/in/logs", "--file", str(journal),
         f"--save-state={ground.folder / 'state'}", "--follow=no"],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = ground.lines(3)
    assert [told(line) for line in lines] == [
        ("first of the journal", "error", "sshd", "127.0.0.1"),
        ("second of the journal", "warning", "sshd", "127.0.0.1"),
        ("token=<hidden> third", "notice", "sshd", "127.0.0.1"),
    ]
    assert [line["host"] for line in lines] == ["db1"] * 3
    assert lines[0]["time"].startswith("2025-10-09T09:20:00")
