"""One plugin for all tests, beside the code and in `tests/`."""

from hypothesis import settings

pytest_plugins = [
    "firehose.testing",
    "tests.closing",
    "tests.servers.chromium",
    "tests.servers.dovecot",
    "tests.servers.feed",
    "tests.servers.hook",
    "tests.servers.ngircd",
    "tests.servers.inspircd",  # after the one that it borrows a person from
    "tests.servers.plant",
    "tests.servers.postgres",
    "tests.servers.rabbitmq",
    "tests.servers.synapse",
    "tests.servers.zookeeper",
    "tests.servers.zuul",
]

# A deadline is a timed assertion: it fails on a busy machine and says nothing about the code.
settings.register_profile("firehose", deadline=None)
settings.load_profile("firehose")
