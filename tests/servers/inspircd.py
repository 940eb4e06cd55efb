"""A real InspIRCd with TLS and a flood limit that throws out, and Atheme's services, which know accounts (SASL)."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.servers.ngircd import Irc, listens, wait

from firehose.bus.engine import free_port
from firehose.plumbing.clock import now
from firehose.testing import need

PASSWORD = "sesame17"
_NETWORK = """
<server name="irc.example" description="x" network="Example" id="1IR">
<admin name="a" nick="a" email="a@example.org">
<bind address="127.0.0.1" port="{tls}" type="clients" ssl="gnutls">
<bind address="127.0.0.1" port="{plain}" type="clients">
<bind address="127.0.0.1" port="{link}" type="servers">
<module name="cap"><module name="sasl"><module name="services_account">
<module name="spanningtree"><module name="ssl_gnutls">
<gnutls certfile="{folder}/cert.pem" keyfile="{folder}/key.pem" priority="NORMAL">
<sasl target="services.example">
<connect allow="*" fakelag="off" threshold="10" commandrate="4000" timeout="30" pingfreq="120" localmax="100"
 globalmax="100" modes="" resolvehostnames="no">
<link name="services.example" ipaddr="127.0.0.1" port="{link}" allowmask="127.0.0.1" sendpass="pw" recvpass="pw">
<uline server="services.example" silent="yes">
<path configdir="{folder}" datadir="{folder}" logdir="{folder}">
<pid file="{folder}/irc.pid">
<options defaultmodes="nt">
"""
_SERVICES = """
loadmodule "modules/protocol/inspircd";
loadmodule "modules/backend/opensex";
loadmodule "modules/crypto/pbkdf2v2";
loadmodule "modules/nickserv/main";
loadmodule "modules/nickserv/register";
loadmodule "modules/saslserv/main";
loadmodule "modules/saslserv/plain";
serverinfo {{ name = "services.example"; desc = "x"; numeric = "00A"; recontime = 1; netname = "Example";
 hidehostsuffix = "u"; adminname = "a"; adminemail = "a@example.org"; registeremail = "a@example.org";
 loglevel = {{ error; info; network; }}; maxlogins = 9; maxusers = 0; mdlimit = 30; emaillimit = 10; emailtime = 300;
 auth = none; casemapping = rfc1459; }};
uplink "irc.example" {{ host = "127.0.0.1"; port = {link}; send_password = "pw"; receive_password = "pw"; }};
nickserv {{ spam; no_nick_ownership; nick = "NickServ"; user = "NickServ"; host = "services.example"; real = "x"; }};
saslserv {{ nick = "SaslServ"; user = "SaslServ"; host = "services.example"; real = "x"; }};
"""


class InspIrcd:
    """The network: `tls` and `plain` are its ports, `authority` the file that vouches for `localhost`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        path = os.environ["PATH"] + ":/usr/sbin"
        self._programs = [need(shutil.which(name, path=path), name) for name in ("inspircd", "atheme-services")]
        self.folder = folder
        self.tls, self.plain, link = free_port(), free_port(), free_port()
        self.authority = folder / "cert.pem"
        certificate(folder)
        (folder / "irc.conf").write_text(_NETWORK.format(tls=self.tls, plain=self.plain, link=link, folder=folder))
        (folder / "services.conf").write_text(_SERVICES.format(link=link))
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start both, and wait until they know each other."""
        root = ["--runasroot"] if os.geteuid() == 0 else []
        irc, services = self._programs
        self._spawn([irc, "--config", str(self.folder / "irc.conf"), "--nofork", *root], "irc.out")
        wait(lambda: "1" if listens(self.plain) and listens(self.tls) else "", lambda: self._log("irc.out"))
        options = {"-c": "services.conf", "-D": ".", "-p": "services.pid", "-l": "services.log"}
        files = [word for option, name in options.items() for word in (option, str(self.folder / name))]
        self._spawn([services, "-n", *files], "services.out")
        wait(lambda: self._log("services.out").partition("finished synching")[1], lambda: self._log("services.out"))

    def register(self, account: str) -> None:
        """A new account with `PASSWORD`."""
        person = Irc(self.plain, "someone")
        person.hear(" 001 ")
        person.send(f"PRIVMSG NickServ :REGISTER {account} {PASSWORD} {account}@example.org")
        person.hear("NOTICE someone", "registered")
        person.send("QUIT")
        person.socket.close()

    def stop(self) -> None:
        """End both."""
        for process in reversed(self._running):
            process.terminate()
            process.wait(20)
        self._running.clear()

    def _spawn(self, command: list[str], output: str) -> None:
        with (self.folder / output).open("wb") as log:
            self._running.append(subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log))

    def _log(self, name: str) -> str:
        return (self.folder / name).read_text(errors="replace")


def certificate(folder: Path) -> None:
    """`cert.pem` for `localhost`, by its own authority, and its `key.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now() - day).not_valid_after(now() + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))


@pytest.fixture
def inspircd(tmp_path: Path) -> Iterator[InspIrcd]:
    """A running network with the account `hub`."""
    network = InspIrcd(tmp_path / "inspircd")
    try:
        network.start()
        network.register("hub")
        yield network
    finally:
        network.stop()
