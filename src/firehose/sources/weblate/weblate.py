"""Weblate: what the deliveries of its webhook add-on mean.

In: a delivery in Weblate's messaging schema; its `action` is the history's wording of the change. Out: an event about
a translation, a component or a project, `Ignored` by the list in `kinds.py`, or `UnknownKind`. Texts of strings go into
the summary cut short, and whole into the search.
"""

from __future__ import annotations

from typing import Final

from firehose import source, subject
from firehose.errors import UnknownKind
from firehose.event import Event, fingerprint, line
from firehose.sources.weblate.kinds import ACTIONS, FAILURES, IGNORED
from firehose.wild import Wild, decode

SHOWN: Final = 120


class Settings(source.WebhookSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: the Weblate server, for the events' `source` and for links that it sends without its name."""

    url: str = "https://hosted.weblate.org"


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """What one change means."""
    body = decode(delivery.body)
    action = body["action"].text()
    if action in IGNORED:
        return source.Ignored(action)
    if action not in ACTIONS:
        raise UnknownKind(action)
    kind, words = ACTIONS[action]
    home = settings.url.rstrip("/")
    project, about, refs = _place(body)
    actor = body["user"].text("") or body["author"].text("")
    failed = action in FAILURES
    where = "/".join(filter(None, (project, body["translation"].text("")))) or "Weblate"
    said = line(_text(body["source"]) or _text(body["target"]), SHOWN)
    summary = f"{where}: {words}" if failed else f"{actor or 'somebody'} {words} in {where}"
    return [
        Event(
            id=body["change_id"].word() or fingerprint(delivery.body),
            source=home,
            type=f"org.weblate.{action.lower().replace(' ', '_').replace('-', '_')}",
            kind=kind,
            subject=about,
            time=body["timestamp"].moment() or delivery.received,
            project=project,
            actor="" if failed else actor,
            summary=f"{summary}: {said}" if said else summary,
            link=_link(body["url"], home),
            outcome="failure" if failed else "",
            severity="warning" if failed else "info",
            refs=tuple(ref for ref in refs if ref != about),
            data=delivery.body,
            text=" ".join((_text(body["source"]), _text(body["target"]), _text(body["old"]))),
        )
    ]


def _place(body: Wild) -> tuple[str, str, list[str]]:
    """The project's path, the subject that the change is about, and all subjects that this belongs to."""
    project, component = body["project"].text(""), body["component"].text("")
    # Categories come innermost first.
    inner = [*reversed(_list(body["category"])), component] if component else []
    path = "/".join(part for part in (project, *inner) if part)
    refs = [f"l10nproject/{subject.escape(project)}"] if project else []
    if component:
        refs.append(f"component/{subject.escape(path)}")
        if language := body["translation"].text(""):
            refs.append(f"translation/{subject.escape(path)}/{subject.escape(language)}")
    return path, refs[-1] if refs else "weblate", refs


def _list(value: Wild) -> list[str]:
    return [item.text("") for item in value.each()] if value.is_list() else [value.text("")]


def _text(value: Wild) -> str:
    """A string; plural forms are a list of them."""
    return " / ".join(filter(None, _list(value)))


def _link(url: Wild, home: str) -> str:
    text = url.text("")
    if not text.startswith("/"):
        return url.link()
    return f"{home}{text}" if text.isprintable() and " " not in text else home


SOURCE: Final = source.SourceKind(
    name="weblate",
    title="Weblate",
    family="artifact",
    settings=Settings,
    read=read,
    kinds={action: kind for action, (kind, _) in sorted(ACTIONS.items())},
    ignored=IGNORED,
    schemes=(source.Scheme("standard"),),
    native_kind=source.word_in("action"),
)
