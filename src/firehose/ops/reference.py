"""Writes the reference pages from the code: settings, sources, metrics, commands. `./run docs` calls it.

In: declarations, docstrings, command help. Out: Markdown below `docs/reference/`. A test compares what is there with
what this would write, so the pages cannot lie.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from firehose import settings as hub_settings
from firehose import sink as sink_kinds
from firehose import source as source_kinds
from firehose.plumbing import metrics

FOLDER: Final = Path("docs") / "reference"
SECTIONS: Final = ("hub", "http", "mqtt", "engine", "history")

_SETTINGS_HEAD: Final = """# Settings

A TOML file (`--settings FILE`, else `./firehose.toml` when present) and the environment:
`FIREHOSE_<SECTION>__<KEY>`, such as `FIREHOSE_HTTP__LISTEN=0.0.0.0:80`. `firehose settings --explain` shows the
merged result with origins. An unknown key is an error. Secrets are files (`…_file`) or variables (`…_env`).
"""
_SOURCES_HEAD: Final = """# Sources

What each kind of source understands. Whatever is neither mapped nor ignored goes to the quarantine.
"""

_SINKS_HEAD: Final = """# Sinks

The ways out that a hub can be set up with. `/v1/sinks` and `firehose sinks list` show how they are.
"""


_SINKS_TAIL: Final = """
Some ways out need no sink, since whoever wants the events comes for them:

| way out | what leaves |
|---|---|
| MQTT and WebSocket | every event on its canonical and original topic |
| `/v1/stream` | server-sent events, NDJSON, WebSocket, from any cursor on |
| `/v1/events` | the answer of any query as JSON or NDJSON, an Atom or JSON Feed, a badge or a chart in SVG |
| `gerrit stream-events` over SSH | the stream as Gerrit writes it, for Zuul, Jenkins and Buildbot |
| [Errbot](../../src/firehose/bots/errbot/README.md) | lines in any chat that Errbot speaks, by subscription |"""


def pages(command: click.Group) -> dict[str, str]:
    """Each page's name and text."""
    return {
        "settings.md": "\n".join(settings_page()) + "\n",
        "sources.md": "\n".join(sources_page()) + "\n",
        "sinks.md": "\n".join(sinks_page()) + "\n",
        "metrics.md": "\n".join(metrics_page()) + "\n",
        "commands.md": "\n".join(commands_page(command)) + "\n",
    }


def settings_page() -> Iterator[str]:
    """Sections, keys, defaults."""
    yield _SETTINGS_HEAD
    for section in SECTIONS:
        yield from _table(f"[{section}]", type(getattr(hub_settings.Settings(), section)))
    yield from _table("[[mqtt.logins]]", hub_settings.Login)
    yield from _table("[doors.gerrit]", hub_settings.GerritDoor)
    yield from _table("[notify]", hub_settings.Notify)
    yield from _table("[notify.mail]", hub_settings.NotifyMail)
    yield from _table("[notify.irc]", hub_settings.NotifyIrc)
    for name in source_kinds.kinds():
        kind = source_kinds.load(name)
        yield from _table(f'[sources.<name>] with kind = "{kind.name}"', kind.settings)
    for name in sink_kinds.kinds():
        way = sink_kinds.load(name)
        yield from _table(f'[sinks.<name>] with kind = "{way.name}"', way.settings)


def _table(title: str, owner: type[Any]) -> Iterator[str]:
    yield f"## `{title}`\n"
    documented = [base for base in owner.__mro__ if "__doc__" in vars(base) and base.__module__.startswith("firehose.")]
    for base in documented:
        yield inspect.cleandoc(base.__doc__ or "") + "\n"
    yield "| key | type | default |\n|---|---|---|"
    for field in msgspec.structs.fields(owner):
        default = "required" if field.required else f"`{_plain(field)}`"
        yield f"| `{field.encode_name}` | {_type(field.type)} | {default} |"
    yield ""


def _plain(field: Any) -> str:
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return json.dumps(msgspec.to_builtins(value))


def _type(type_: Any) -> str:
    name = getattr(type_, "__name__", "") if not getattr(type_, "__args__", None) else str(type_)
    return (name or str(type_)).replace("firehose.settings.", "").replace("typing.", "").replace("|", "\\|")


def sources_page() -> Iterator[str]:
    """What each source maps and ignores."""
    yield _SOURCES_HEAD
    yield "| kind | service | verified by | native kinds mapped | ignored |\n|---|---|---|---|---|"
    kinds = [source_kinds.load(name) for name in source_kinds.kinds()]
    for kind in kinds:
        proof = ", ".join(dict.fromkeys(scheme.check for scheme in kind.schemes)) or "connection"
        yield (
            f"| [`{kind.name}`](../../src/firehose/sources/{_folder(kind)}/README.md) | {kind.title} | {proof} "
            f"| {len(kind.kinds)} | {len(kind.ignored)} |"
        )
    for kind in kinds:
        yield f"\n## {kind.title}\n\n| native kind | becomes |\n|---|---|"
        for native, become in sorted(kind.kinds.items()):
            yield f"| `{native}` | {', '.join(f'`{word.strip()}`' for word in become.split(','))} |"
        if kind.ignored:
            yield "\n| ignored | why |\n|---|---|"
            for native, why in sorted(kind.ignored.items()):
                yield f"| `{native}` | {why} |"


def sinks_page() -> Iterator[str]:
    """Every way out."""
    yield _SINKS_HEAD
    yield "| kind | way out | what leaves | events in a message |\n|---|---|---|---|"
    for kind in (sink_kinds.load(name) for name in sink_kinds.kinds()):
        folder = str(kind.render.__module__).split(".")[2]
        page = f"../../src/firehose/sinks/{folder}/README.md"
        most = "by settings" if callable(kind.most) else kind.most
        yield f"| [`{kind.name}`]({page}) | {kind.title} | {'; '.join(kind.formats)} | {most} |"
    yield _SINKS_TAIL


def _folder(kind: source_kinds.SourceKind) -> str:
    # One folder may serve two kinds (Forgejo and Gitea): the page is where the code is.
    return str(kind.read.__module__).split(".")[2]


def metrics_page() -> Iterator[str]:
    """The closed list of metrics."""
    yield "# Metrics\n\nServed at `/metrics` in Prometheus' text format.\n\n| name | type | meaning |\n|---|---|---|"
    for family in sorted(metrics.REGISTRY.collect(), key=lambda family: family.name):
        yield f"| `{family.name}` | {family.type} | {family.documentation} |"


def commands_page(command: click.Group) -> Iterator[str]:
    """The help of every command."""
    yield "# Commands\n"
    for path, found in sorted(_commands("firehose", command)):
        context = click.Context(found, info_name=path)
        yield f"## `{path}`\n\n```\n{found.get_help(context)}\n```\n"


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command, info_name=path)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from _commands(f"{path} {name}", inner)


def write(folder: Path) -> None:
    """Write all pages below a folder."""
    from firehose.__main__ import main

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(main).items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
