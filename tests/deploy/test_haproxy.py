"""The proxy configuration that we hand out, with a real HAProxy in front of a real hub."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import shutil
import ssl
import subprocess
import urllib.request
from pathlib import Path

import aiomqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firehose.bus.engine import free_port
from firehose.plumbing.clock import now
from firehose.testing import StartHub, need

CONFIG = Path(__file__).resolve().parents[2] / "deploy" / "haproxy.cfg"


def certificate(file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now() - datetime.timedelta(days=1))
        .not_valid_after(now() + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))


async def test_pages_api_and_mqtt_go_through_the_proxy(start_hub: StartHub, tmp_path: Path) -> None:
    haproxy = need(shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin"), "haproxy")
    hub = start_hub()
    certificate(tmp_path / "cert.pem")
    https, mqtts = free_port(), free_port()
    environ = {
        **os.environ, "FIREHOSE_HTTPS": f"127.0.0.1:{https}", "FIREHOSE_MQTTS": f"127.0.0.1:{mqtts}",
        "FIREHOSE_CERT": str(tmp_path / "cert.pem"), "FIREHOSE_HUB_HTTP": f"127.0.0.1:{hub.http_port}",
        "FIREHOSE_HUB_WEBSOCKET": f"127.0.0.1:{hub.websocket_port}", "FIREHOSE_HUB_MQTT": f"127.0.0.1:{hub.mqtt_port}",
    }  # fmt: skip
    trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    with subprocess.Popen([haproxy, "-db", "-f", str(CONFIG)], env=environ, stderr=subprocess.DEVNULL) as proxy:
        try:
            async with asyncio.timeout(60):
                while True:
                    try:
                        answer = await asyncio.to_thread(
                            urllib.request.urlopen, f"https://localhost:{https}/v1/events", None, 5, context=trust
                        )
                        break
                    except OSError:
                        await asyncio.sleep(0.1)
            assert json.loads(answer.read())["events"] == []
            async with (
                asyncio.timeout(60),
                aiomqtt.Client("localhost", mqtts, tls_context=trust) as plain,
                aiomqtt.Client(
                    "localhost", https, tls_context=trust, transport="websockets", websocket_path="/mqtt"
                ) as web,
            ):
                for client in (plain, web):
                    await client.subscribe("$meta/head")
                    async for message in client.messages:
                        assert isinstance(message.payload, bytes)
                        assert json.loads(message.payload)["sequence"] == 0
                        break
        finally:
            proxy.terminate()
