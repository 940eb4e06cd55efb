"""One plugin for all tests, beside the code and in `tests/`."""

pytest_plugins = ["firehose.testing", "tests.servers.postgres"]
