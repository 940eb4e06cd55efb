"""One layout for all pages: the template environment, what every page is given, and how HTML is answered.

In: a template's name and values, the request. Out: a complete page, or a fragment for a script that asked for one.
Templates are shipped with the package; a missing value is an error, text is always escaped.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec
from litestar import Request, Response
from markupsafe import Markup

from firehose.intake.ledger import Health
from firehose.web.hub import Hub
from firehose.web.pages import assets, charts, families, wording

TEMPLATES: Final = Path(__file__).resolve().parent.parent / "templates"
ROOMS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("live", "/", "Live", "L"),
    ("search", "/search", "Search", "S"),
    ("sources", "/sources", "Sources", "O"),
    ("notify", "/notify", "Notify", "N"),
    ("connect", "/connect", "Connect", "C"),
)
"""What the rail shows: icon and room, address, word, the key after G."""
TROUBLED: Final = ("quiet", "refusing", "down")

Ask = Request[Any, Any, Any]


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """The templates, with our wording as filters."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for name in ("number", "rate", "span", "limit", "clock", "exact", "iso", "cursor", "cursor20", "plural", "size"):
        made.filters[name] = getattr(wording, name)
    made.filters["ago"] = wording.ago
    made.filters["date"] = wording.date
    made.filters["fact"] = wording.fact
    made.filters["boot"] = boot
    made.globals.update(
        asset=assets.address,
        rooms=ROOMS,
        family_titles=families.TITLES,
        percent=charts.percent,
        family_of_subject=families.family_of_subject,
    )
    return made


def boot(value: object) -> Markup:
    """Values for the scripts, as JSON in a data block; nothing in them can end the block."""
    text = msgspec.json.encode(value).decode()
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))  # noqa: S704


def sources_of(hub: Hub) -> dict[str, str]:
    """The family of every source in the settings."""
    return {health.name: health.family for health in hub.ledger.report()}


def troubled(report: list[Health]) -> list[Health]:
    """The sources that somebody should look at."""
    return [health for health in report if health.state in TROUBLED]


def page(hub: Hub, template: str, room: str, values: dict[str, Any], *, status: int = 200) -> Response[str]:
    """A complete page. `room` is the entry of the rail that it belongs to, "" for none."""
    report = hub.ledger.report()
    shell = {
        "room": room,
        "rooms": [one for one in ROOMS if hub.desk is not None or one[1] != "/notify"],
        "hub_name": hub.settings.hub.name,
        "head": hub.live.head,
        "troubles": troubled(report),
        "now": hub.now(),
        "shell": {
            "icons": assets.address("icons.svg"),
            "head": wording.cursor20(hub.live.head),
            "families": {health.name: health.family for health in report},
            "nouns": families.NOUNS,
            "titles": families.TITLES,
            "now": wording.iso(hub.now()),
        },
    }
    return html(environment().get_template(template).render(shell | values), status)


def fragment(hub: Hub, template: str, values: dict[str, Any], *, status: int = 200) -> Response[str]:
    """A piece of a page."""
    return html(environment().get_template(template).render({"now": hub.now()} | values), status)


def html(text: str, status: int = 200) -> Response[str]:
    """An answer that browsers must not keep: pages show what is now."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept, HX-Request"}
    return Response(text, status_code=status, media_type="text/html", headers=headers)


def wants_fragment(request: Ask) -> bool:
    """Whether htmx asked, which swaps pieces (going back in the history it wants whole pages)."""
    headers = request.headers
    return headers.get("hx-request") == "true" and headers.get("hx-history-restore-request") != "true"
