"""What must be right before a hub starts: `up`, `doctor` and `settings` refuse the same settings, with their names."""

from __future__ import annotations

import json
from pathlib import Path

import asyncssh
import pytest
from click.testing import CliRunner

from firehose.__main__ import main
from firehose.app import App
from firehose.checks import faults
from firehose.errors import Broken
from firehose.settings import load

KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
VALUES = [
    ('[sinks.x]\nkind = "webhook"\nurl = "https://a.example"\nquery = "projcet:a"', "sinks.x: "),
    ('[history]\nkeep = ["365x"]', "history.keep: '365x' is not"),
    ('[history]\nkeep_dumps = "soon"', "history.keep_dumps: 'soon' is not"),
    ('[history]\nurl = "mysql://x"', "history.url is neither"),
    ('[sources.x]\nkind = "inbox"\naudience = "sec"', "sources.x.audience: "),
    ("[engine]\nreplicas = 2", "engine.replicas: 2 copies need as many servers"),
    ("[engine]\nreplicas = 0", "engine.replicas: 0 copies of a stream cannot be kept"),
    ("[engine]\nreplicas = 3", "engine.replicas: 3 copies need as many servers"),
    ('[engine]\nkind = "external"', "engine.kind: 'external' is neither"),
    ('[engine]\nsync = "often"', "engine.sync: 'often' is neither"),
    ('[http]\nlisten = "foo"', "http.listen: 'foo' is not an address and a port"),
    ('[mqtt]\nlisten = "127.0.0.1:99999"', "mqtt.listen: '127.0.0.1:99999' is not"),
    ('[sources.x]\nkind = "mailinglist"\nimap = "a b:c:d"', "sources.x: 'a b:c:d' is not host or host:port"),
    ('[sources.x]\nkind = "gerrit"\nssh = "x y"', "sources.x: ssh = 'x y' is not of the form"),
    ('[sources.x]\nkind = "logs"\nlisten = "foo"', "sources.x.listen: 'foo' is not"),
]
HERE = [
    ('[history]\nurl_env = "NOPE"', "history.url_env: the environment variable NOPE"),
    ('[engine]\nurls = ["nats://a:4222"]', "engine.urls needs engine.secret_file"),
    ('[mqtt]\ntls_listen = "127.0.0.1:8883"\ntls_cert = "/no/file"', "mqtt.tls_cert, mqtt.tls_key: "),
    ('[sources.x]\nkind = "github"\nsecret_env = "NOPE"', "sources.x: secret_env: the environment variable NOPE"),
    ('[[mqtt.logins]]\nuser = "me"\nsource = "x"\n[sources.x]\nkind = "zuul"', "mqtt.logins: user 'me' needs"),
    ('[sinks.x]\nkind = "webhook"\nurl = "https://a.example"\nsecret_env = "NOPE"', "sinks.x: secret_env: "),
    ('[notify.mail]\nsecret_file = "/no/file"', "notify.mail: secret_file: cannot read /no/file"),
    ('[doors.gerrit]\nlisten = "127.0.0.1:29418"', "doors.gerrit.readers is empty"),
    (f'[doors.gerrit]\nlisten = "127.0.0.1:29418"\n[doors.gerrit.readers]\nzuul = "{KEY}"', "doors.gerrit.sources: "),
]
"""What is wrong with files and variables of the machine where the hub is to run."""


def written(folder: Path, text: str) -> Path:
    file = folder / "hub.toml"
    hub = "" if "[hub]" in text else f'[hub]\ndata = "{folder / "data"}"\n'
    file.write_text(hub + text)
    return file


def said(file: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, [*words, "--settings", str(file)])
    return done.exit_code, done.output


@pytest.mark.parametrize(("text", "named"), VALUES + HERE, ids=[named for _, named in VALUES + HERE])
async def test_what_up_refuses_doctor_and_settings_refuse_too(tmp_path: Path, text: str, named: str) -> None:
    file = written(tmp_path, text)
    code, told = said(file, "doctor", "--json")
    assert code == 1
    assert [line for line in map(json.loads, told.splitlines()) if line["level"] == "wrong" and named in line["what"]]
    code, told = said(file, "settings")
    assert code == (2 if (text, named) in VALUES else 0)
    assert (named in told) == ((text, named) in VALUES), "what only the hub's own machine has is not looked at"
    assert "[history]" in told, "what is set is shown all the same"
    with pytest.raises(Broken) as caught:
        await App(load(file, {})[0]).start()
    assert named in caught.value.detail
    assert caught.value.code == 2
    assert not (tmp_path / "data").exists(), "nothing was begun"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[hub]\nlog = "loud"', "hub.log: Invalid enum value 'loud'; known: debug, info, warning, error"),
        ('[hub]\npublic_url = "not a url"', "hub.public_url: 'not a url' is not the address of a hub"),
        ('[hub]\npublic_url = "hub.example.org"', "hub.public_url: 'hub.example.org' is not"),
        ('[hub]\npublic_url = "https://a.example/?x"', "hub.public_url: "),
    ],
)
@pytest.mark.parametrize("command", [("up",), ("run", "web"), ("demo",), ("settings",), ("token", "list")], ids=str)
def test_a_value_that_is_none_is_one_line(tmp_path: Path, command: tuple[str, ...], text: str, named: str) -> None:
    code, told = said(written(tmp_path, text), *command)
    assert code == 2
    assert told.startswith(f"firehose: {named}")
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("url", ["", "https://hub.example.org", "http://[::1]:8080/firehose/"])
def test_addresses_of_a_hub(tmp_path: Path, url: str) -> None:
    read, _ = load(written(tmp_path, f'[hub]\ndata = "{tmp_path}"\npublic_url = "{url}"'), {})
    assert list(faults(read)) == []


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/foo"])
@pytest.mark.parametrize(
    "command", [("up",), ("run", "web"), ("demo",), ("token", "create", "--scope", "admin"), ("token", "list")], ids=str
)
def test_a_data_folder_that_cannot_be_one(tmp_path: Path, command: tuple[str, ...], place: str) -> None:
    (tmp_path / "file").touch()
    file = written(tmp_path, "")
    done = CliRunner().invoke(main, [*command, "--settings", str(file), "--data", str(tmp_path / place)])
    assert done.exit_code == (2 if command[-1] == "list" else 4)
    assert done.output.startswith("firehose: hub.data: ")
    assert str(tmp_path / place) in done.output
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_doctor_tells_of_a_data_folder_that_cannot_be_one(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(
        main, ["doctor", "--settings", str(written(tmp_path, "")), "--data", str(tmp_path / place)]
    )
    assert done.exit_code == 1
    assert f"hub.data: {tmp_path / place} cannot be the data folder" in done.output


@pytest.mark.parametrize("command", [("list",), ("revoke", "1")])
def test_looking_for_tokens_makes_no_folder(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, ["token", *command, "--data", str(tmp_path / "typo")])
    assert done.exit_code == 2
    assert f"there is no data folder {tmp_path / 'typo'}" in done.output
    assert not (tmp_path / "typo").exists()
