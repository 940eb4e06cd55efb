"""`firehose verify` finds holes in the history and harm to dumps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner

from firehose.__main__ import main
from firehose.event import Event, Recorded, encode
from firehose.history.dumps import Dumps
from firehose.history.sqlite import SqliteStore

START = datetime(2016, 10, 25, 22, 30, tzinfo=UTC)


def fill(data: Path, *sequences: int) -> None:
    store = SqliteStore(data / "history.db")
    for number in sequences:
        made = Event(id=str(number), source="s", type="t", kind="a.b", subject="x", time=START)
        store.append([Recorded(number, START, encode("gerrit", made))])
    Dumps(data / "dumps", data / "keys" / "dumps.key").make(store, START + timedelta(days=1))
    store.close()


def told(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["verify", *words])
    return result.exit_code, result.output


def test_a_whole_history_and_its_dumps_are_right(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2, 3)
    code, output = told("--data", str(tmp_path), "--json")
    assert code == 0
    assert json.loads(output)["ok"]
    assert json.loads(output)["dumps"] == "1 hours"


def test_no_history_is_not_a_right_one(tmp_path: Path) -> None:
    code, output = told("--data", str(tmp_path / "elsewhere"))
    assert code == 2
    assert f"there is no history at {tmp_path / 'elsewhere' / 'history.db'}" in output
    assert not (tmp_path / "elsewhere").exists()


def test_a_hole_is_named(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2, 5)
    code, output = told("--data", str(tmp_path))
    assert code == 3
    assert "sequences 3 to 4 are missing" in output


def test_dumps_from_elsewhere_are_checked_with_their_key(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2)
    key = Dumps(tmp_path / "dumps", tmp_path / "keys" / "dumps.key").public_key
    assert told("--dumps", str(tmp_path / "dumps"), "--key", key)[0] == 0
    (dump,) = (tmp_path / "dumps").glob("*.zst")
    dump.write_bytes(b"")
    code, output = told("--dumps", str(tmp_path / "dumps"), "--key", key)
    assert code == 3
    assert "SHA-256" in output
    assert told("--dumps", str(tmp_path / "dumps"))[0] == 2
