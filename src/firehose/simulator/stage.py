"""The stage: what must stand before the hub starts. The fake Gerrit, keys and secrets, and the hub's settings for them.

In: a folder for keys and secrets. Out: a running fake Gerrit, and the settings by which a hub connects to everything
that the simulator plays, as plain values for `settings.build`.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Final

import asyncssh

from firehose.simulator import gerrit_bytes, gitlab_bytes, node_bytes
from firehose.simulator.gerrit_ssh import FakeGerrit

FORGES: Final = ("github", "forgejo", "gitlab")
LOGINS: Final = ("zuul", "nodes")


class Stage:
    """Use as `async with`; `settings` is then complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._host_key = self._key("gerrit_host_key")
        self._user_key = self._key("gerrit_user_key")
        self.gerrit = FakeGerrit(events_plugin=True, keep=20_000, host_key=self._host_key)
        self.gerrit.allow(asyncssh.read_private_key(self._user_key).export_public_key())
        self.hook_secrets = {name: self._secret(name) for name in FORGES}
        self.passwords = {name: self._secret(name).decode() for name in LOGINS}

    async def __aenter__(self) -> Stage:
        await self.gerrit.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.gerrit.stop()

    def settings(self) -> dict[str, Any]:
        """The sources and logins of the hub."""
        files = {name: str(self._folder / f"{name}.secret") for name in (*FORGES, *LOGINS)}
        return {
            "sources": {
                "gerrit": {
                    "kind": "gerrit",
                    "url": gerrit_bytes.WEB,
                    "ssh": f"firehose@127.0.0.1:{self.gerrit.ssh_port}",
                    "key_file": str(self._user_key),
                    "host_key": self.gerrit.host_key,
                },
                "github": {"kind": "github", "url": "https://github.example", "secret_file": files["github"]},
                "forgejo": {"kind": "forgejo", "url": "https://code.lumen.example", "secret_file": files["forgejo"]},
                "gitlab": {"kind": "gitlab", "url": gitlab_bytes.WEB, "secret_file": files["gitlab"]},
                "zuul": {"kind": "zuul", "url": "https://zuul.lumen.example/t/lumen"},
                "nodes": {
                    "kind": "inbox",
                    "family": "cloud",
                    "url": "https://launcher.lumen.example",
                    "senders": ["https://launcher.lumen.example/*"],
                    "rules": node_bytes.RULES,
                },
            },
            "mqtt": {
                "logins": [
                    {"user": name, "secret_file": files[name], "source": name, "own_topics": name == "zuul"}
                    for name in LOGINS
                ]
            },
        }

    def _key(self, name: str) -> Path:
        path = self._folder / name
        if not path.exists():
            path.touch(mode=0o600)
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(path)
        return path

    def _secret(self, name: str) -> bytes:
        path = self._folder / f"{name}.secret"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24))
        return path.read_bytes().strip()
