"""The Notify page: rules, places, hours, and a rule tried on the past before it may speak. It works without scripts.

In: a session, forms. Out: pages; what a form says goes to the desk, which decides. A mistake comes back with the form
as it was, the sentence at its field. Who is not signed in sees what rules would have told, and how to get a token.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import structlog
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie

from firehose.errors import Refused
from firehose.notify.desk import DAYS, Desk, Kept
from firehose.notify.rules import MEMBERS, STARTERS, TEAM, Draft, Place, Profile, Rule, Spot
from firehose.notify.trying import Trial
from firehose.web import asked as params
from firehose.web import session
from firehose.web.api.notify import desk, public, remembered
from firehose.web.given import GivenHub
from firehose.web.hub import Hub
from firehose.web.pages.asked import ask
from firehose.web.pages.render import page

log = structlog.get_logger("pages")
Asked = Request[Any, Any, Any]
Form = dict[str, str]
RANGES: Final = (1, 7, 30, 90)
WORDS: Final = {
    "page": "This page, and any open page of the hub", "email": "Mail", "irc": "IRC, by nick",
    "webhook": "Webhook", "push": "A browser", "apprise": "Apprise",
}  # fmt: skip
WHEN: Final = {"now": "At once", "hourly": "Together, every hour", "daily": "Together, once a day"}
SAID: Final = {
    "rule": "The rule is kept and watches from now on.", "gone": "It is removed.", "place": "The place is kept.",
    "confirm": "A message is on its way there. The place is used once its link was pressed.",
    "test": "A message is on its way there.", "person": "Your names and hours are kept.", "team": "The team is kept.",
    "hello": "You are signed in.",
    "unpushed": "This browser shows nothing more. Its place stops at the next message, or remove it here.",
}  # fmt: skip


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong with a form: which form, which field, the sentence."""

    form: str
    field: str
    detail: str


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The rule in the editor: as kept, as written now, tried or not."""

    id: str
    draft: Draft
    changed: bool
    trial: Trial | None = None
    days: int = DAYS


@get("/notify", include_in_schema=False)
async def notify(request: Asked, hub: GivenHub) -> Response[Any]:
    """The room."""
    own = desk(hub)
    name = session.signed_in(request, hub)
    given = params.pairs(request.scope["query_string"])
    asked = params.single(given, "q")
    if not name:
        return await signed_out(hub, own, asked=asked)
    kept = await own.kept(name)
    chosen, starter = params.single(given, "rule"), params.single(given, "starter")
    shown = about(kept, asked) if asked else editor(kept, chosen, starter)
    if shown is not None:
        shown = await tried(own, name, shown)
    return await room(hub, name, kept, shown, None, {"said": SAID.get(params.single(given, "said"), "")})


@post("/notify/sign-in", include_in_schema=False, status_code=303)
async def sign_in(request: Asked, hub: GivenHub) -> Response[Any]:
    """Begin a session with a person's token."""
    session.same_origin(request, hub)
    own, form = desk(hub), await fields(request)
    try:
        token, cookie = session.begin(form.get("token", ""), hub)
    except Refused as error:
        return await signed_out(hub, own, Wrong("sign-in", "token", error.detail), form.get("q", ""))
    if not (await own.kept(token.person)).places:
        await own.save_place(token.person, Spot(kind="page"))
    return back("hello", cookie=cookie, **({"q": form["q"]} if form.get("q") else {}))


@post("/notify/sign-out", include_in_schema=False, status_code=303)
async def sign_out(request: Asked, hub: GivenHub) -> Response[Any]:
    """End the session."""
    session.same_origin(request, hub)
    return back("", cookie=session.end(hub))


@post("/notify/rule", include_in_schema=False)
async def rule(request: Asked, hub: GivenHub) -> Response[Any]:
    """Try, keep or remove a rule."""
    name, own, form = session.person(request, hub), desk(hub), await fields(request)
    id_, act = form.get("id", ""), form.get("act", "try")
    if act == "remove":
        await own.drop_rule(name, id_)
        return back("gone")
    draft, days = written(form), _days(form.get("days", ""))
    shown = Shown(id=id_, draft=draft, changed=True, days=days)
    try:
        if act == "save":
            saved = await own.save_rule(name, draft, id_)
            return back("rule", rule=saved.id)
        shown = msgspec.structs.replace(shown, trial=await own.attempt(name, draft, days, id_))
        return await room(hub, name, await own.kept(name), shown)
    except Refused as error:
        wrong = Wrong("rule", error.field, error.detail)
        return await room(hub, name, await own.kept(name), shown, wrong)


@post("/notify/place", include_in_schema=False)
async def place(request: Asked, hub: GivenHub) -> Response[Any]:
    """Keep, test or forget a place."""
    name, own, form = session.person(request, hub), desk(hub), await fields(request)
    id_ = form.get("id", "")
    try:
        match form.get("act", "add"):
            case "remove":
                await own.drop_place(name, id_)
                return back("gone", part="places")
            case "test":
                found = await own.try_place(name, id_)
                return back("confirm" if found.state == "unconfirmed" else "test", part="places")
            case _:
                known = {key: form[key] for key in ("kind", "to", "title", "owner", "secret") if form.get(key)}
                made = await own.save_place(name, convert(known, Spot))
                return back("confirm" if made.state == "unconfirmed" else "place", part="places")
    except Refused as error:
        return await mistaken(hub, name, Wrong("place", error.field, error.detail), form)


@post("/notify/person", include_in_schema=False)
async def person(request: Asked, hub: GivenHub) -> Response[Any]:
    """Keep names and hours."""
    name, own, form = session.person(request, hub), desk(hub), await fields(request)
    names = tuple(one for line in form.get("names", "").splitlines() for one in line.split(","))
    rest = {key: form[key].strip() for key in ("zone", "quiet_from", "quiet_to", "daily", "prefers") if key in form}
    try:
        await own.save_person(name, Profile(names=names, **rest))
    except Refused as error:
        return await mistaken(hub, name, Wrong("person", error.field, error.detail), form)
    return back("person", part="you")


@post("/notify/team", include_in_schema=False)
async def team(request: Asked, hub: GivenHub) -> Response[Any]:
    """Keep a team."""
    name, own, form = session.person(request, hub), desk(hub), await fields(request)
    members = tuple(one.strip() for one in form.get("members", "").replace("\n", ",").split(",") if one.strip())
    try:
        await own.save_team(name, form.get("name", "").strip(), members)
    except Refused as error:
        return await mistaken(hub, name, Wrong("team", error.field, error.detail), form)
    return back("team", part="teams")


@post("/notify/unmute", include_in_schema=False)
async def unmute(request: Asked, hub: GivenHub) -> Response[Any]:
    """Hear of a thread again."""
    name, form = session.person(request, hub), await fields(request)
    await desk(hub).unmute(name, form.get("id", ""))
    return back("gone", part="mutes")


async def signed_out(hub: Hub, own: Desk, wrong: Wrong | None = None, asked: str = "") -> Response[str]:
    """What everybody sees."""
    starters = await ready_rules(own, "somebody")
    values = {"starters": starters, "wrong": wrong, "days": DAYS, "asked": asked}
    return page(hub, "notify_out.html", "notify", values, status=403 if wrong else 200)


async def mistaken(hub: Hub, name: str, wrong: Wrong, form: Form) -> Response[str]:
    """The page with a form that cannot be kept, as it was written."""
    return await room(hub, name, await desk(hub).kept(name), None, wrong, form)


async def room(
    hub: Hub, name: str, kept: Kept, shown: Shown | None, wrong: Wrong | None = None, form: Form | None = None
) -> Response[str]:
    """The page of one person."""
    own = desk(hub)
    today = hub.now().replace(hour=0, minute=0, second=0, microsecond=0)
    told = await own.told(name, limit=200)
    query = ask(shown.draft.query, hub.now()) if shown else None
    values = {
        "me": name, "kept": kept, "places": [named(one) for one in kept.places], "shown": shown, "query": query,
        "exclude": ask(shown.draft.exclude, hub.now()) if shown and shown.draft.exclude else None,
        "starters": [] if kept.rules else await ready_rules(own, name),
        "wrong": wrong, "said": (form or {}).get("said", ""),
        "form": form or {}, "kinds": addable(own, kept),
        "missing": [WORDS[kind] for kind in WORDS if kind not in own.carriers.kinds()],
        "told": [remembered(one, hub) | {"moment": one.time} for one in told[:12]],
        "today": counts([remembered(one, hub)["rules"] for one in told if one.time >= today]),
        "whens": list(WHEN.items()), "ranges": RANGES, "days": DAYS, "members": MEMBERS,
        "owners": [("", "me"), *((TEAM + one.name, f"team {one.name}") for one in kept.teams)],
        "push": {"key": own.vapid.public},
    }  # fmt: skip
    return page(hub, "notify.html", "notify", values, status=400 if wrong else 200)


def about(kept: Kept, query: str) -> Shown:
    """A new rule about what somebody was looking for."""
    to = next((one.id for one in kept.places if one.owner == kept.person.name and one.state == "ready"), "")
    return Shown(id="", draft=Draft(title=query[:200], query=query, to=to), changed=True)


def editor(kept: Kept, chosen: str, starter: str) -> Shown | None:
    """What the editor shows: the chosen rule, a new one, one to begin with, else the first; None without any."""
    first = kept.rules[0] if kept.rules else None
    found = next((one for one in kept.rules if one.id == chosen), None if chosen == "new" or starter else first)
    if found is not None:
        return Shown(id=found.id, draft=drafted(found), changed=False)
    ready = next((one for one in STARTERS if one.name == starter), None)
    place = next((one.id for one in kept.places if one.owner == kept.person.name and one.state == "ready"), "")
    if ready is not None:
        draft = Draft(title=ready.title, query=ready.query, when=ready.when, to=place)
        return Shown(id="", draft=draft, changed=True)
    return Shown(id="", draft=Draft(to=place), changed=True) if chosen == "new" else None


async def tried(own: Desk, name: str, shown: Shown) -> Shown:
    """A rule with what it would have said, when it can be tried."""
    if not shown.draft.query and not shown.id:
        return shown
    try:
        trial = await own.attempt(name, shown.draft, shown.days, shown.id)
    except Refused:
        return shown
    except Exception as error:
        log.warning("the history does not try a rule", error=repr(error))
        return shown
    return msgspec.structs.replace(shown, trial=trial)


async def ready_rules(own: Desk, name: str) -> list[tuple[Any, Trial | None]]:
    """The rules to begin with; without numbers when the history does not answer."""
    try:
        return list(await own.starters(name))
    except Exception as error:
        log.warning("the history does not try the ready rules", error=repr(error))
        return [(starter, None) for starter in STARTERS]


def drafted(rule_: Rule) -> Draft:
    """A kept rule as it is edited."""
    return Draft(
        title=rule_.title, owner=rule_.owner if rule_.owner.startswith(TEAM) else "", query=rule_.query,
        exclude=rule_.exclude, own=rule_.own, to=rule_.to, when=rule_.when, on=rule_.on,
    )  # fmt: skip


def written(form: Form) -> Draft:
    """The rule that a form holds."""
    known: dict[str, Any] = {key: form[key] for key in ("title", "owner", "exclude", "to", "when") if key in form}
    known |= {"query": form.get("q", ""), "own": "not_own" not in form, "on": "on" in form}
    if form.get("exclude"):
        known["exclude"] = form["exclude"]
    made: Draft = convert(known, Draft)
    return made


def convert(known: dict[str, Any], type_: Any) -> Any:
    """A value from a form's fields; `Refused` names the field."""
    try:
        return msgspec.convert(known, type_)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        raise Refused(text, slug="bad-field", field=path.rstrip("`").lstrip(".")) from None


def named(place_: Place) -> dict[str, Any]:
    """A place as the page lists it."""
    shown = public(place_)
    return shown | {"word": WORDS[place_.kind].partition(",")[0], "name": place_.title or shown["to"] or "this hub"}


def addable(own: Desk, kept: Kept) -> list[tuple[str, str]]:
    """The kinds of places that the form adds: a browser adds itself, and one page is enough."""
    have = {"push", *(one.kind for one in kept.places if one.kind == "page" and one.owner == kept.person.name)}
    return [(kind, WORDS[kind]) for kind in WORDS if kind in own.carriers.kinds() and kind not in have]


def counts(rules: list[Any]) -> dict[str, int]:
    """How often each rule is named."""
    found: dict[str, int] = {}
    for names in rules:
        for one in names:
            found[one] = found.get(one, 0) + 1
    return found


async def fields(request: Asked) -> Form:
    """A form's fields; the last one of a name counts."""
    raw = await request.body()
    if len(raw) > 64 * 1024:
        raise Refused("at most 64 KiB", slug="too-large", status=413)
    return dict(params.pairs(raw))


def back(said: str, *, part: str = "", cookie: Cookie | None = None, **more: str) -> Response[Any]:
    """To the page again, by GET."""
    query = urlencode({**more, **({"said": said} if said else {})})
    where = "/notify" + (f"?{query}" if query else "") + (f"#{part}" if part else "")
    return Response(b"", status_code=303, headers={"location": where, "cache-control": "no-store"},
                    cookies=[cookie] if cookie else [])  # fmt: skip


def _days(text: str) -> int:
    return int(text) if text in {str(number) for number in RANGES} else DAYS


HANDLERS: Final[list[Any]] = [notify, sign_in, sign_out, rule, place, person, team, unmute]
