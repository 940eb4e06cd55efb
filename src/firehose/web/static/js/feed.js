// The list of live events: follows at the top, holds otherwise, writes in batches, keeps to its size.
import { $, $$, make, plural } from "./dom.js";
import { batchHtml, causeOf, rowHtml, view } from "./rows.js";
import { clockTag, write } from "./times.js";

export const CAP = 500;
// While more arrives than can be read, this many are in the page: what a write costs grows with what stands below it.
const CAP_BUSY = 120;
export const HELD = 5_000;
const EVERY = 250;
const EVERY_BUSY = 64; // a few rows at a time, so that no write takes more than a frame or two
const BUSY = 40;
const CAUSE_MS = 30_000;
const LEAST = 4; // of one cause in one write share a row, however quiet it is

export class Feed {
  /** `changed()` is called when following, holding or the numbers change. */
  constructor({ list, scroller, bar, changed = () => {}, arrived = () => {} }) {
    Object.assign(this, { list, scroller, bar, changed, arrived });
    this.queue = [];          // arrived, not written yet, oldest first
    this.held = [];           // waiting for the reader
    this.heldCount = 0;
    this.heldBad = 0;
    this.heldSince = null;
    this.paused = null;       // Date of the pause
    this.pressed = false;
    this.batches = new Map(); // cause -> { element, rows, at }
    this.parked = [];         // elements taken out of the page while busy, newest first; they come back
    this.recent = [];         // arrival times of the last two seconds
    this.seen = new Set($$("[data-seq]", list).map(row => Number(row.dataset.seq)));
    for (const element of $$(".ev.batch", list)) this.#unfold(element);
    this.stop = new AbortController();
    const on = (target, name, act, options = {}) => target.addEventListener(name, act, { signal: this.stop.signal, ...options });
    on(list, "pointerdown", () => { this.pressed = true; });
    on(window, "pointerup", () => { this.pressed = false; this.#soon(); });
    on(window, "pointercancel", () => { this.pressed = false; });
    on(list, "focusout", () => this.#soon());
    on(scroller, "scroll", () => this.#soon(), { passive: true });
    on(window, "scroll", () => this.#soon(), { passive: true });
    on(document, "selectionchange", () => this.#soon());
    on($("button", bar), "click", () => this.show());
    on(list, "click", event => { const button = event.target.closest(".exp"); if (button) this.toggle(button.closest(".ev")); });
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.calmTimer);
    this.stop.abort();
  }

  get atTop() {
    const inner = this.scroller.scrollHeight > this.scroller.clientHeight + 1 && getComputedStyle(this.scroller).overflowY !== "clip";
    return inner ? this.scroller.scrollTop < 4 : document.scrollingElement.scrollTop < 4 && this.scroller.scrollTop < 4;
  }

  /** Whether new rows may be written now; else they wait. */
  get following() {
    const selected = getSelection();
    return !this.paused && !this.pressed && this.atTop && !this.list.contains(document.activeElement)
      && !(selected && !selected.isCollapsed && this.list.contains(selected.anchorNode));
  }

  push(events) {
    const now = Date.now();
    for (const event of events) {
      const row = view(event);
      if (this.seen.has(row.sequence)) continue;
      this.seen.add(row.sequence);
      this.recent.push(now);
      this.queue.push(row);
      this.arrived(row);
    }
    this.#soon();
  }

  #soon() {
    this.timer ??= setTimeout(() => { this.timer = null; this.flush(); }, this.busy ? EVERY_BUSY : EVERY);
  }

  get rate() {
    const from = Date.now() - 2_000;
    while (this.recent.length && this.recent[0] < from) this.recent.shift();
    return this.recent.length / 2;
  }

  /** More arrives than can be read: rows are written in small portions, and nothing in them moves by itself. */
  get busy() { return this.rate > BUSY; }

  /** Everything that waits, in one write. */
  flush() {
    const fresh = this.queue;
    this.queue = [];
    if (!(this.busy && this.following)) this.unpark();
    if (this.following && !this.heldCount) {
      if (fresh.length) this.#write(fresh, " new");
    } else if (fresh.length) {
      this.#hold(fresh);
    } else if (this.heldCount && this.following && !this.wasBack) {
      // Back at the top by scrolling: the reader sees the line and decides; nothing jumps.
      this.wasBack = true;
      this.changed();
    }
  }

  #hold(rows) {
    this.wasBack = false;
    this.heldSince ??= rows[0].time;
    this.heldCount += rows.length;
    this.heldBad += rows.filter(row => row.state === "bad").length;
    this.held.push(...rows);
    if (this.held.length > HELD) this.held = [];
    this.#bar();
    this.changed();
  }

  #bar() {
    const shown = this.heldCount > 0 && !this.paused;
    this.bar.hidden = !shown;
    if (!shown) return;
    $("[data-new-count]", this.bar).textContent = plural(this.heldCount, "new event");
    const failures = this.heldBad ? `, ${plural(this.heldBad, "failure")}` : "";
    $("[data-new-since]", this.bar).innerHTML = `since ${clockTag(this.heldSince)}${failures}`;
  }

  /** Show what waits and go to the top. */
  show() {
    if (this.heldCount > this.held.length) { location.reload(); return; }
    const rows = this.held;
    this.held = [];
    this.heldCount = this.heldBad = 0;
    this.heldSince = null;
    if (this.list.contains(document.activeElement)) document.activeElement.blur();
    getSelection()?.removeAllRanges();
    this.#write(rows, " new");
    this.scroller.scrollTop = 0;
    if (document.scrollingElement.scrollTop) document.scrollingElement.scrollTop = 0;
    this.#bar();
    this.changed();
  }

  pause(on) {
    this.paused = on ? new Date() : null;
    if (!on && this.heldCount) this.show(); else { this.#bar(); this.changed(); }
  }

  /** A line between rows; it stands above everything that was there before it. */
  mark(html) {
    this.flush();
    this.list.prepend(make(html));
    return this.list.firstElementChild;
  }

  #write(rows, classes) {
    const all = rows.slice(-CAP);
    const { busy } = this;
    this.#calm(busy);
    // A tint on every row would be no sign of anything, and paint the whole list for two seconds.
    const html = this.#grouped(all, busy ? "" : classes, busy);
    this.list.prepend(make(html));
    $("[data-quiet]")?.remove();
    this.#trim();
    this.#keepStop();
  }

  /** The list stays one stop of the Tab key when the row that was it has left. */
  #keepStop() {
    if (!$('.ev[tabindex="0"]', this.list)) $(".ev", this.list)?.setAttribute("tabindex", "0");
  }

  /** Newest first; when busy, events of one cause within 30 s share a row, or join the row they have. */
  #grouped(rows, classes, busy) {
    const now = Date.now(), order = [], many = new Map();
    if (!busy) for (const row of rows) many.set(causeOf(row), (many.get(causeOf(row)) || 0) + 1);
    for (const row of rows.toReversed()) {
      const all = causeOf(row), cause = busy || many.get(all) >= LEAST ? all : "";
      const known = cause && this.batches.get(cause);
      if (known && now - known.at < CAUSE_MS && (!known.element || known.element.isConnected)) known.rows.unshift(row);
      else { const batch = { rows: [row], at: now, element: null }; order.push(batch); if (cause) this.batches.set(cause, batch); }
    }
    for (const batch of this.batches.values()) if (batch.element?.isConnected && batch.rows.length !== batch.shown) this.#redraw(batch);
    const html = order.map(batch => { batch.rows.sort((a, b) => b.sequence - a.sequence); return batch.rows.length > 1 ? batchHtml(batch.rows, classes) : rowHtml(batch.rows[0], classes); }).join("");
    queueMicrotask(() => this.#adopt(order));
    return html;
  }

  #adopt(order) {
    let element = this.list.firstElementChild;
    for (const batch of order) {
      batch.element = element;
      batch.shown = batch.rows.length;
      if (element && batch.rows.length > 1) element.batch = batch;
      element = element?.nextElementSibling;
    }
    if (this.batches.size > 400) this.batches = new Map([...this.batches].slice(-200));
  }

  #redraw(batch) {
    const fresh = make(batchHtml(batch.rows)).firstElementChild;
    const { element } = batch;
    if (element.getAttribute("aria-current")) fresh.setAttribute("aria-current", "true");
    fresh.tabIndex = element.tabIndex;
    this.#close(element);
    element.replaceWith(fresh);
    Object.assign(batch, { element: fresh, shown: batch.rows.length });
    fresh.batch = batch;
  }

  /** Open or close a batch in place. */
  toggle(element) {
    const batch = element?.batch;
    if (!batch) return false;
    const button = $(".exp", element), open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    if (open) { this.#close(element); this.#keepStop(); }
    else { element.after(batch.folded?.cloneNode(true) || make(batch.rows.map(row => rowHtml(row, " child")).join(""))); write(this.list); }
    return true;
  }

  /** A batch as the server wrote it: its rows wait outside of the page until it is opened. */
  #unfold(element) {
    const folded = document.createDocumentFragment();
    while (element.nextElementSibling?.classList.contains("folded")) folded.append(element.nextElementSibling);
    for (const row of folded.children) row.classList.remove("folded");
    element.batch = { folded };
  }

  #close(element) {
    while (element.nextElementSibling?.classList.contains("child")) element.nextElementSibling.remove();
  }

  /** Busy or not, as the list shows it; what was parked comes back when nothing arrives any more, too. */
  #calm(busy) {
    this.list.toggleAttribute("data-busy", busy);
    clearTimeout(this.calmTimer);
    if (busy) this.calmTimer = setTimeout(() => { this.list.removeAttribute("data-busy"); this.unpark(); }, 2_500);
  }

  /** Older rows leave at the bottom. Nobody looks at them there: rows are only written while the top is shown. */
  #trim() {
    const { children } = this.list;
    let keep = this.busy ? CAP_BUSY : CAP;
    while (children[keep]?.classList.contains("child")) keep++; // an open batch stays whole
    if (children.length <= keep) return;
    const leaving = [...children].slice(keep);
    for (const row of leaving) { row.remove(); if (row.dataset.seq) row.tabIndex = -1; }
    this.parked.unshift(...leaving);
    if (!this.busy) this.unpark();
    const gone = this.parked.splice(Math.max(0, CAP - children.length)); // oldest last
    for (const row of gone) if (row.dataset.seq) this.seen.delete(Number(row.dataset.seq));
    this.trimmed ||= gone.length > 0;
    this.changed();
  }

  /** Put back what was taken out while busy: the reader may look at it now. */
  unpark() {
    if (!this.parked.length) return;
    this.list.append(...this.parked.splice(0, Math.max(0, CAP - this.list.children.length)));
    write(this.list);
  }
}
