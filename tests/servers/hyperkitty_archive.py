"""A real HyperKitty, run by its own Python: its database in a folder, its REST API on loopback, mail by standard input.

In: `python hyperkitty_archive.py FOLDER PORT`, then a line for each mail: the list's address, a space, the mail in
base64. Out: `ready`, then for each mail its Message-ID-Hash. Mailman itself is not there: it hands mail over, as here.
"""

import base64
import os
import sys
import threading
from email import message_from_bytes, policy
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from hyperkitty.tests import settings_test


class Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    found = {name: getattr(settings_test, name) for name in dir(settings_test) if name.isupper()}
    found |= {
        "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "hyperkitty.db")}},
        "HAYSTACK_CONNECTIONS": {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
        "Q_CLUSTER": {**found["Q_CLUSTER"], "sync": True},
        "ALLOWED_HOSTS": ["*"],
        "HYPERKITTY_BATCH_MODE": True,
        "LOGGING": {},
    }
    settings.configure(**found)
    django.setup()
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from hyperkitty.lib.incoming import add_to_list

    call_command("migrate", verbosity=0)
    server = make_server("127.0.0.1", port, get_wsgi_application(), handler_class=Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    out = os.fdopen(os.dup(1), "w")
    print("ready", file=out, flush=True)
    for row in sys.stdin:
        address, _, mail = row.strip().partition(" ")
        print(
            add_to_list(address, message_from_bytes(base64.b64decode(mail), policy=policy.default)),
            file=out,
            flush=True,
        )


main()
