"""The command line: parses, then calls `ops`. Each command's help has an example; errors go to standard
error with the next step, and the exit code says what kind (0 fine, 1 failed, 2 settings or usage, 3 data, 4 machine).
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

import click

from firehose import __version__
from firehose.errors import Broken, FirehoseError

COMMANDS: Final = {
    "bench": ("bench.command", "bench", "Measure this machine: each figure against a rival in the same run."),
    "capture": (
        "again",
        "capture_command",
        "Store payloads that a running hub received as samples: <native kind>__<case>.json, scrubbed.",
    ),
    "deadletters": ("outgoing", "dead", "Messages that a sink did not take: look, send again, discard."),
    "demo": (
        "demo",
        "demo",
        "Start a hub and a small simulated world that talks to it: Gerrit over SSH, webhooks, Zuul over MQTT.",
    ),
    "doctor": ("doctor", "doctor", "Check settings, machine and the running hub."),
    "engine-config": ("showing", "engine_config", "The nats-server configuration for engines that you run yourself."),
    "explain": (
        "explaining",
        "explain_command",
        'What a payload becomes, offline: one JSON line for each payload in FILE ("-" reads standard input).',
    ),
    "publish": ("reading", "publish", "Hand CloudEvents (JSON, one or a list) to an inbox source."),
    "quarantine": ("reading", "quarantine", "Deliveries that nobody could read: look, try again, discard."),
    "replay": ("again", "replay_command", "Play recorded events once more, with the pauses they had, N times as fast."),
    "run": ("serving", "run", "Run some parts only, for a hub on several machines."),
    "search": ("reading", "search", "Search the history."),
    "settings": ("showing", "settings", "The merged settings, and where each value comes from."),
    "sinks": ("outgoing", "sinks", "The ways out: how they are, switch one on again, let somebody hear of it again."),
    "tail": ("reading", "tail", "Follow events as they happen; resumes by itself after a break."),
    "token": ("tokens_cli", "token", "Tokens for programs: create, list, revoke."),
    "up": ("serving", "up", "Start the hub: engine, sources, recorder, mirror and web in one process tree."),
    "verify": (
        "verify",
        "verify",
        "Check that the history has no hole, and that dumps, their chain and signatures are right.",
    ),
}
"""By name: module below `ops`, the command in it, its help in short (a test compares)."""


class Command(click.Group):
    """Turns our errors into a sentence and an exit code; a stack trace is never what a user sees. A command is imported
    when it is called: a hub and a search need different halves of the program, and neither should wait for both."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        found = getattr(importlib.import_module(f"firehose.ops.{module}"), name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing what it lists."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Broken as error:
            click.echo(f"firehose: {error.detail}", err=True)
            ctx.exit(error.code)
        except FirehoseError as error:
            click.echo(f"firehose: {error.detail}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            ctx.exit(130)


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="firehose")
def main() -> None:
    """Firehose: the event hub of a project's infrastructure.

    \b
    firehose up                      start a hub here
    firehose demo                    a hub with a small simulated world
    firehose tail 'events/#'         watch a hub
    firehose search kind:change.merged --since 1d
    """


if __name__ == "__main__":
    sys.exit(main())
