"""A real Dovecot on loopback, with one account and a folder of its own: mail is put in as files or over IMAP."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from firehose.bus.engine import free_port
from firehose.testing import need

from .certificates import Authority, Issued

USER, PASSWORD = "hub", "s3cret"
CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
{tls}
disable_plaintext_auth = no
default_internal_user = {owner}
default_internal_group = {group}
default_login_user = {owner}
mail_location = maildir:{folder}/mail
mail_max_userip_connections = 50
first_valid_uid = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class Dovecot:
    """port: where it listens; imaps: the same with TLS, 0 without a certificate. Mail goes in with `put`."""

    def __init__(self, program: str, folder: Path, certificate: Issued | None = None) -> None:
        self.port = free_port()
        self.imaps = free_port() if certificate else 0
        self._tls = (
            f"ssl = yes\nssl_cert = <{certificate.certificate}\nssl_key = <{certificate.key}"
            if certificate
            else "ssl = no"
        )
        self.folder = folder
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        # It refuses to serve root, so root hands the folder to the account that its package made.
        self._owner, self._group = ("mail", "mail") if os.geteuid() == 0 else (str(os.getuid()), str(os.getgid()))

    def start(self) -> None:
        """Serve, and wait until it does."""
        import grp
        import pwd

        owner = pwd.getpwnam(self._owner) if os.geteuid() == 0 else pwd.getpwuid(os.getuid())
        group = grp.getgrgid(owner.pw_gid)
        (self.folder / "mail").mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder / "mail", owner.pw_name, group.gr_name)
            for parent in (self.folder, *self.folder.parents[:3]):
                parent.chmod(parent.stat().st_mode | 0o011)
        file = self.folder / "dovecot.conf"
        file.write_text(
            CONFIGURATION.format(
                folder=self.folder, owner=owner.pw_name, group=group.gr_name, password=PASSWORD,
                uid=owner.pw_uid, gid=owner.pw_gid, port=self.port, imaps=self.imaps, tls=self._tls,
            )
        )  # fmt: skip
        self._process = subprocess.Popen([self._program, "-F", "-c", str(file)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    if probe.recv(4).startswith(b"* OK"):
                        return
            except OSError:
                pass
            log = self.folder / "dovecot.log"
            assert time.monotonic() < deadline, log.read_text()[-2000:] if log.exists() else "no log"
            time.sleep(0.05)

    def put(self, *mails: bytes) -> None:
        """Append mails to the inbox over IMAP."""
        with IMAPClient("127.0.0.1", self.port, ssl=False) as client:
            client.login(USER, PASSWORD)
            self._open(client)
            for mail in mails:
                client.append("INBOX", mail)

    @staticmethod
    def _open(client: IMAPClient) -> None:
        """Dovecot says SERVERBUG when two sessions make the index of a young inbox at once; the next try finds it."""
        for attempt in range(5):
            try:
                client.select_folder("INBOX")
            except IMAPClientError as error:
                if attempt == 4 or "SERVERBUG" not in str(error):
                    raise
            else:
                return

    def flags(self) -> list[tuple[bytes, ...]]:
        """The flags of all mails."""
        with IMAPClient("127.0.0.1", self.port, ssl=False) as client:
            client.login(USER, PASSWORD)
            client.select_folder("INBOX", readonly=True)
            return [tuple(one[b"FLAGS"]) for one in client.fetch(client.search(), ["FLAGS"]).values()]

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)
            self._process = None


@pytest.fixture
def dovecot(tmp_path: Path) -> Iterator[Dovecot]:
    """A running Dovecot with an empty inbox; user `hub`, password `s3cret`."""
    yield from _running(tmp_path / "dovecot")


@pytest.fixture
def tls_dovecot(tmp_path: Path) -> Iterator[Dovecot]:
    """The same with a certificate for `localhost` of an authority that nobody knows: `<folder>/../ca/authority.pem`."""
    yield from _running(tmp_path / "tls-dovecot", Authority(tmp_path / "ca").issue("mail", "localhost"))


def _running(folder: Path, certificate: Issued | None = None) -> Iterator[Dovecot]:
    program = need(shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin"), "Dovecot")
    server = Dovecot(program, folder, certificate)
    server.start()
    # The first visit makes the folders; two at once get in each other's way.
    server.put()
    yield server
    server.stop()
