// The Live page: the stream, the list, and everything that says how they are.
import { $, $$, block, cursorHtml, esc, getHtml, getJson, icon, make, number, plural, session, shell, withQuery } from "./dom.js";
import { Feed, HELD } from "./feed.js";
import * as health from "./health.js";
import { bind } from "./keys.js";
import { List } from "./list.js";
import { offer } from "./palette.js";
import { Picks } from "./picks.js";
import { attach } from "./querybox.js";
import { Stream } from "./stream.js";
import { clock, clockTag, write } from "./times.js";
import { copy, say, toast } from "./toast.js";

const KEEP = "live";
const TOO_SOON = 2_000;
const BACK_FOR = 6_000;
const SAY_EVERY = 30_000;
const wide = matchMedia("(min-width: 1240px)");

// Clocks differ: what the two were apart when the page was made is not lag.
const apart = Date.now() - new Date(shell.now);
const skew = Math.abs(apart) > 5_000 ? apart : 0;

export function enter() {
  const boot = block("boot"), list = $("[data-rows]"), banners = $("[data-banners]"), scroller = $("[data-scroll]");
  const stop = new AbortController(), { signal } = stop;
  const undo = [];
  let unsaid = 0, unsaidBad = 0, lostTimer = 0, backTimer = 0;

  // The list first: the feed folds rows away that belong to it.
  const rows = new List(list, inspect);
  const feed = new Feed({ list, scroller, bar: $("[data-newbar]"), changed: paused, arrived: row => { unsaid++; unsaidBad += row.state === "bad" ? 1 : 0; } });
  seam();

  // ── The stream and its states ──────────────────────────────────────────
  const stream = new Stream({
    q: boot.q, cursor: boot.cursor,
    events: events => { feed.push(events); measure(events.at(-1)); },
    beat: beat => {
      if (beat.head) health.head(beat.head);
      if (stream.lostAt === null && !feed.paused) health.show({ word: "Live", dot: "" });
    },
    state: changed,
  });
  let measured = 0;
  function measure(event) {
    if (Date.now() - measured < 500) return;
    measured = Date.now();
    const lag = (Date.now() - skew - new Date(event.recordedtime)) / 1000;
    if (lag >= 0 && lag < 3_600 && stream.until === "") health.show({ lag });
  }

  function banner(name, state, html, buttons = "", alert = false) {
    $(`[data-banner="${name}"]`, banners)?.remove();
    const mark = { bad: "o-bad", warn: "o-warn", ok: "o-ok" }[state] || "pause";
    banners.append(make(`<div class="banner edge" data-banner="${name}"${state ? ` data-o="${state}"` : ""}${alert ? ' role="alert"' : ""}>${icon(mark)}<p class="grow">${html}</p>${buttons}</div>`));
    return banners.lastElementChild;
  }
  const clear = name => $(`[data-banner="${name}"]`, banners)?.remove();

  function changed(name, details) {
    if (name === "live") {
      clearTimeout(lostTimer);
      clear("lost"); clear("stalled"); clear("refused");
      if (details.since && Date.now() - details.since >= TOO_SOON) {
        const gap = feed.mark(gapHtml(details.since, new Date(), null));
        gap.dataset.gap = "";
      }
      if (!feed.paused) health.show({ word: "Live", dot: "" });
    } else if (name === "lost") lost(details);
    else if (name === "back") back(details);
    else if (name === "stalled") {
      health.show({ word: "Stalled", dot: "lost" });
      banner("stalled", "warn", `<b>Stalled.</b> <span class="dim">No sign of life since ${clockTag(details.since)}, though the connection stands. You hold cursor ${cursorHtml(stream.cursor || 0)}; nothing is lost.</span>`, '<button class="btn s" type="button" data-retry>Connect again</button>', true);
    } else if (name === "old") tooOld(details);
    else if (name === "refused") {
      clear("lost");
      health.show({ word: "Refused", dot: "lost" });
      banner("refused", "bad", `<b>The hub refuses this stream.</b> <span class="dim">${esc(details.problem.detail || "")}</span>`, '<button class="btn s" type="button" data-retry>Try again</button>', true);
    }
  }
  const gapHtml = (since, until, missed) => `<li class="mark-row gap">${icon("o-warn")}<span class="cut">Connection was away ${clock(since)} to ${clock(until)}. ${missed === null ? "What came meanwhile is above, in order" : missed ? `The ${plural(missed, "event")} in between ${missed === 1 ? "is" : "are"} above, in order` : "Nothing came meanwhile"}</span><span class="line"></span></li>`;

  function lost(details) {
    clear("stalled");
    const draw = () => {
      if (stream.lostAt === null || stream.closed) return;
      if (Date.now() - details.since < TOO_SOON) { lostTimer = setTimeout(draw, TOO_SOON - (Date.now() - details.since)); return; }
      health.show({ word: "Lost", dot: "lost" });
      const next = Math.max(0, Math.ceil((stream.next - Date.now()) / 1000));
      const box = $('[data-banner="lost"]', banners);
      const wait = next ? `Next try in ${next} s.` : "Trying now.";
      if (box) $("[data-next]", box).textContent = wait;
      else banner("lost", "warn", `<b>No connection since ${clockTag(details.since)}.</b> <span class="dim">You hold cursor ${cursorHtml(details.cursor || 0)}; nothing is lost. <span data-next>${wait}</span></span>`, '<button class="btn s" type="button" data-retry>Try now</button>', true);
      lostTimer = setTimeout(draw, 1_000);
    };
    clearTimeout(lostTimer);
    draw();
  }

  function back({ since, missed }) {
    feed.flush();
    feed.unpark();
    const away = Date.now() - since;
    const mark = $("[data-gap]", list);
    if (mark) mark.replaceWith(make(gapHtml(since, new Date(), missed)));
    if (away < TOO_SOON) return;
    const text = missed ? `${plural(missed, "event")} came in meanwhile, in order, none missing.` : "Nothing came in meanwhile.";
    banner("back", "ok", `<b>Back.</b> <span class="dim">${text}</span>`);
    say(`Connection is back. ${text}`);
    clearTimeout(backTimer);
    backTimer = setTimeout(() => clear("back"), BACK_FOR);
  }

  function tooOld({ problem, cursor }) {
    clear("lost");
    health.show({ word: "Cut off", dot: "lost" });
    const floor = problem.floor;
    const box = banner("old", "bad", `<b>Your cursor ${cursorHtml(cursor || 0)} is older than the history.</b> <span class="dim">${floor ? `The oldest that works is ${cursorHtml(floor)}. ` : ""}What lies between is not in this list. Earlier hours are in the dumps.</span>`,
      '<span class="row tight"><button class="btn s" type="button" data-floor>Start there</button><a class="btn s" href="/v1/dumps">Dumps</a></span>', true);
    $("[data-floor]", box).addEventListener("click", () => {
      clear("old");
      feed.mark(`<li class="mark-row gap">${icon("o-warn")}<span class="cut">Events after cursor ${cursorHtml(cursor || 0)} are gone from the history. It begins again above</span><span class="line"></span></li>`);
      stream.cursor = floor || "";
      stream.lostAt = null;
      stream.now();
    });
  }

  // ── Holding and pausing ────────────────────────────────────────────────
  const pause = $("[data-pause]");
  function setPause(on) {
    feed.pause(on);
    pause.setAttribute("aria-pressed", String(on));
    pause.innerHTML = `${icon(on ? "play" : "pause")}<span class="lbl">${on ? "Go on" : "Pause"}</span>`;
    pause.title = on ? "Go on (Space)" : "Pause (Space)";
    if (!on) { clear("paused"); health.show({ word: stream.lostAt ? "Lost" : "Live", dot: stream.lostAt ? "lost" : "" }); }
    paused();
  }
  function paused() {
    $("[data-older]").hidden = !(boot.more || feed.trimmed);
    if (!feed.paused) return;
    health.show({ word: "Paused", dot: "held" });
    const waiting = feed.heldCount === 1 ? "1 event waits" : `${number(feed.heldCount)} events wait`;
    const text = `${feed.heldCount ? waiting : "Nothing waits yet"}; after ${number(HELD)} the page keeps the count only.`;
    const box = $('[data-banner="paused"]', banners);
    if (box) $("[data-waiting]", box).textContent = text;
    else banner("paused", "", `<b>Paused by you</b> <span class="dim">at ${clockTag(feed.paused)}. <span data-waiting>${text}</span></span>`, '<button class="btn s primary" type="button" data-go-on>Go on</button>');
  }
  pause.addEventListener("click", () => setPause(!feed.paused), { signal });
  banners.addEventListener("click", event => {
    if (event.target.closest("[data-retry]")) stream.now();
    if (event.target.closest("[data-go-on]")) { setPause(false); pause.focus(); }
  }, { signal });

  // ── Where the reader left ──────────────────────────────────────────────
  function seam() {
    const left = session.get(KEEP);
    if (!left || left.q !== boot.q || !left.cursor) return;
    const at = BigInt(left.cursor), all = $$(".ev[data-seq]", list);
    const since = all.filter(row => BigInt(row.dataset.seq) > at).length;
    if (!since) return;
    const below = all[since];
    const more = !below && boot.more;
    const html = `<li class="mark-row seam">${icon("cursor")}<span class="cut">You left here at ${clockTag(new Date(left.time))}, cursor ${cursorHtml(left.cursor)}</span><span class="line"></span><span class="cut">${more ? `more than ${number(since)} events since` : `${plural(since, "event")} since`}, none missing</span></li>`;
    if (below) below.before(make(html)); else list.append(make(html));
  }
  const keep = () => { if (stream.cursor) session.set(KEEP, { q: boot.q, cursor: stream.cursor, time: new Date().toISOString() }); };
  window.addEventListener("pagehide", keep, { signal });

  // ── The row that is looked at ──────────────────────────────────────────
  const inspector = $("[data-inspector]"), nothing = inspector.innerHTML;
  let looking = null, lookTimer = 0;
  function inspect(row, { by }) {
    looking?.abort();
    clearTimeout(lookTimer);
    if (!row) { inspector.innerHTML = nothing; return; }
    if (!wide.matches) {
      if (by === "pointer" && matchMedia("(max-width: 639px)").matches) location.href = `/events/${row.dataset.seq}`;
      return;
    }
    looking = new AbortController();
    lookTimer = setTimeout(async () => {
      try {
        const html = await getHtml(`/events/${row.dataset.seq}/card`, { signal: looking.signal });
        inspector.innerHTML = html;
        write(inspector);
      } catch (error) {
        if (error.name !== "AbortError") inspector.innerHTML = `<div class="empty">${icon("probe")}<h3>The history does not answer</h3><p>The row still says what is known. Its page comes back when the history does.</p></div>`;
      }
    }, 60);
  }
  inspector.addEventListener("click", event => {
    if (event.target.closest("[data-close]")) { const row = rows.current; rows.clear(); row?.focus(); }
    const only = event.target.closest("[data-only]");
    if (only) narrow(only.dataset.only);
  }, { signal });

  // ── Query, chips, rate ─────────────────────────────────────────────────
  const turn = q => { keep(); window.dispatchEvent(new CustomEvent("turn", { detail: withQuery("/", q) })); };
  const picks = new Picks(list, href => { keep(); location.href = href; });
  const box = attach($("form[data-query]"), { submit: turn });
  // What a term does to a query the parser knows: AND binds closer than OR, quotes hold blanks.
  const change = async terms => {
    const params = new URLSearchParams(terms.filter(([, term]) => term));
    params.set("q", box.value);
    try { turn((await getJson(`/pages/combine?${params}`)).q); } catch (error) { toast("The query is not changed", error.message, { state: "bad", mark: "o-bad" }); }
  };
  const narrow = term => change([["add", term]]);
  $("[data-chips]").addEventListener("click", event => {
    const chip = event.target.closest(".chip");
    if (!chip) return;
    const chips = $$(".chip", chip.parentElement), terms = other => other.dataset.sources.split(" ").map(name => `-source:${name}`);
    const off = new Set(chips.filter(other => other.getAttribute("aria-pressed") === "false"));
    if (event.altKey) {
      const alone = off.size === chips.length - 1 && !off.has(chip);
      off.clear();
      if (!alone) chips.filter(other => other !== chip).forEach(other => off.add(other));
    } else if (off.has(chip)) off.delete(chip); else off.add(chip);
    change(chips.flatMap(other => terms(other).map(term => [off.has(other) ? "add" : "drop", term])));
  }, { signal });
  const rateTimer = setInterval(async () => {
    if (document.hidden) return;
    try {
      const parts = make(await getHtml(withQuery("/pages/rate", boot.q)));
      for (const part of $$("template", parts)) {
        const place = $(`[data-${part.dataset.part}]`);
        if (place && !place.contains(document.activeElement)) place.replaceChildren(part.content);
      }
    } catch { /* the old figures stay */ }
  }, 20_000);
  const sayTimer = setInterval(() => {
    if (unsaid && !feed.paused) say(`${plural(unsaid, "new event")}${unsaidBad ? `, ${plural(unsaidBad, "failure")}` : ""}`);
    unsaid = unsaidBad = 0;
  }, SAY_EVERY);

  // ── Keys and commands ──────────────────────────────────────────────────
  const open = (row, own) => {
    if (!row) return false;
    if (own) { window.open(`/events/${row.dataset.seq}/source`, "_blank", "noopener"); return true; }
    if (feed.toggle(row)) return true;
    location.href = `/events/${row.dataset.seq}`;
    return true;
  };
  const permalink = row => row ? copy(`${location.origin}/events/${row.dataset.seq}`, "Permalink copied") : copy(location.href, "Address of this view copied");
  undo.push(bind({
    j: () => rows.move(1), k: () => rows.move(-1), " ": () => setPause(!feed.paused),
    ".": () => { if (!feed.heldCount || feed.paused) return false; feed.show(); return true; },
    Enter: event => open(event.target.closest?.(".ev"), false),
    o: () => open(rows.focused, true),
    f: () => { const row = rows.focused; if (!row) return false; narrow(`kind:${row.dataset.kind}`); return true; },
    x: () => picks.toggle(rows.focused),
    y: () => { permalink(rows.focused); },
    Escape: () => { if (!picks.clear()) rows.clear(); },
  }));
  undo.push(offer([
    { word: "Pause or go on", icon: "pause", keys: ["Space"], act: () => setPause(!feed.paused) },
    { word: "Show new events", icon: "up", keys: ["."], act: () => feed.show() },
    { word: "Select the row", icon: "check", keys: ["X"], act: () => picks.toggle(rows.focused) },
    { word: "Follow this query as…", icon: "connect", act: () => { location.href = withQuery("/connect", box.value); } },
    { word: "Search the history for this query", icon: "search", act: () => { location.href = withQuery("/search", box.value); } },
    { word: "Save this view", icon: "star", act: () => $("[data-save-view]").click() },
  ]));

  const zone = () => feed.heldCount && feed.changed();
  window.addEventListener("zone", zone, { signal });
  write(list);

  return () => {
    keep();
    stop.abort();
    looking?.abort();
    undo.forEach(act => act());
    [lostTimer, backTimer, lookTimer].forEach(clearTimeout);
    clearInterval(rateTimer);
    clearInterval(sayTimer);
    stream.close();
    feed.close();
    rows.close();
    picks.close();
    box.close();
  };
}
