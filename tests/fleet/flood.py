"""A hostile flood of log lines, and what its sender knows of it: how many lines, of which severity.

`python -m tests.fleet.flood HTTP_PORT SYSLOG_PORT TOKEN BATCHES` sends from several connections at once and prints what
it sent as JSON. Lines are of every shape, some broken, some huge, with new file names, new words and secrets.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import sys
import threading
from collections import Counter
from typing import Any

WORDS = ["info", "warning", "error", "DEBUG", "nonsense", 3, 9, None, {"a": 1}]
OURS = {"warning": "warning", "error": "error", 3: "error"}


def record(chance: random.Random, number: int) -> tuple[bytes, str]:
    """A record as JSON, and the severity that it has in our words."""
    word = chance.choice(WORDS)
    value: dict[str, Any] = {"level": word, "message": f"worker {number} password=geheim{number} {chance.random()}"}
    match number % 7:
        case 0:
            value["build_uuid"], value["filename"] = f"build-{number}", f"{number}.log"
        case 1:
            value["message"] = " ".join(f"w{chance.randrange(10**9)}" for _ in range(8))
        case 2:
            value["message"] = "x" * chance.randrange(20_000)
        case 3:
            value["message"] = "\ud800\x00\n\x1b[31m"
        case 4:
            value["@timestamp"] = chance.choice(["1970-01-01T00:00:00Z", 1e300, -5, "nie", [1]])
    return json.dumps(value).encode(), OURS.get(word, "info") if isinstance(word, (str, int)) else "info"


def post(port: int, token: str, seed: int, batches: int) -> Counter[str]:
    """Batches by HTTP, each answered; the counts that were answered with 202."""
    chance, sent = random.Random(seed), Counter[str]()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    for batch in range(batches):
        rows = [record(chance, seed * 10**6 + batch * 1_000 + number) for number in range(500)]
        rows += [(b'{"message": "cut off', "notice"), (b"\xff\xfe no json at all", "notice")]
        chance.shuffle(rows)
        connection.request("POST", "/in/joblogs", b"\n".join(row for row, _ in rows), headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        assert answer.status == 202, told
        assert told["lines"] == len(rows) == told["kept"] + told["over"], told
        sent.update(severity for _, severity in rows)
    return sent


def write(port: int, seed: int, batches: int) -> Counter[str]:
    """Syslog over TCP, octet counting and line ends mixed, cut anywhere."""
    chance, sent = random.Random(seed), Counter[str]()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for batch in range(batches):
            block = b""
            for number in range(500):
                level = chance.randrange(8)
                text = f"<{8 + level}>1 - host app - - - batch {batch} of {seed}: {chance.random()}".encode()
                if number % 50 == 0:
                    text, level = b"nothing that a syslog would say", 5
                block += b"%d %b" % (len(text), text) if number % 3 else text + b"\n"
                sent[("error", "error", "error", "error", "warning", "notice", "info", "info")[level]] += 1
            at = 0
            while at < len(block):
                end = at + chance.randrange(1, 40_000)
                connection.sendall(block[at:end])
                at = end
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)  # the other side closes when it has read everything
    return sent


def main(http_port: int, syslog_port: int, token: str, batches: int) -> dict[str, Counter[str]]:
    """All senders at once; what each kind of publisher sent."""
    found: dict[str, Counter[str]] = {"hostile": Counter(), "127.0.0.1": Counter()}
    failed: list[BaseException] = []

    def run(name: str, job: Any, *given: Any) -> None:
        try:
            sent = job(*given)
        except BaseException as error:
            failed.append(error)
            raise
        found[name].update(sent)

    threads = [threading.Thread(target=run, args=("hostile", post, http_port, token, n, batches)) for n in (1, 2, 3)]
    threads += [threading.Thread(target=run, args=("127.0.0.1", write, syslog_port, n, batches)) for n in (4, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return found


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))))
