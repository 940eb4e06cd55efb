// One live stream from the hub, with its own cursor. Says what state it is in; loses nothing over a break, because
// it asks for what comes after the last cursor that it was given.
import { cursor20, withQuery } from "./dom.js";

const SILENT = 30_000;
const WAITS = [500, 1_000, 2_000, 4_000, 8_000, 15_000];

/**
 * `events(list)` gets what arrived; `state(name, details)` one of `live`, `lost`, `back`, `stalled`, `old`, `refused`;
 * `beat({head, lag})` each heartbeat (lag in events). `cursor` is the last event that was handled (20 digits, "" from now on).
 */
export class Stream {
  constructor({ q, cursor, events, state, beat = () => {} }) {
    Object.assign(this, { q, cursor, events, state, beat });
    this.tries = 0;
    this.missed = 0;
    this.until = "";
    this.lostAt = null;
    this.closed = false;
    this.watch = setInterval(() => this.#check(), 1_000);
    this.#open();
  }

  close() {
    this.closed = true;
    clearInterval(this.watch);
    clearTimeout(this.timer);
    this.source?.close();
  }

  /** Try again now, whatever the waiting. */
  now() {
    clearTimeout(this.timer);
    this.#open();
  }

  get url() {
    return withQuery("/v1/stream/sse", this.q, this.cursor ? { cursor: this.cursor } : {});
  }

  #open() {
    this.source?.close();
    const source = this.source = new EventSource(this.url);
    this.heard = Date.now();
    const on = (name, act) => source.addEventListener(name, event => {
      if (this.closed || this.source !== source) return;
      this.heard = Date.now();
      if (this.isStalled) { this.isStalled = false; this.state("live", {}); }
      act(event);
    });
    on("open", () => this.#opened());
    on("info", event => this.#info(JSON.parse(event.data)));
    on("message", event => {
      this.cursor = event.lastEventId || this.cursor;
      this.missed += this.until ? 1 : 0;
      this.events([JSON.parse(event.data)]);
      this.#caughtUp(this.cursor);
    });
    on("heartbeat", event => {
      const beat = JSON.parse(event.data);
      // Its id says how far the hub looked for us, matching or not: a break after it need not begin earlier.
      this.cursor = event.lastEventId || this.cursor;
      this.#caughtUp(this.cursor);
      this.beat(beat);
    });
    on("goodbye", () => this.#lost());
    source.addEventListener("error", () => { if (this.source === source && !this.closed) this.#lost(); });
  }

  #opened() {
    this.tries = 0;
    this.missed = 0;
    if (!this.lostAt) this.state("live", {});
  }

  #info(info) {
    this.info = info;
    if (!this.lostAt) return;
    const since = this.lostAt;
    this.lostAt = null;
    this.until = info.head || cursor20(0);
    this.since = since;
    this.state("live", { since });
    this.#caughtUp(info.cursor || this.cursor);
  }

  /** After a break: say how many came meanwhile, once the head of that moment is reached. */
  #caughtUp(cursor) {
    if (!this.until || BigInt(cursor || 0) < BigInt(this.until)) return;
    this.until = "";
    this.state("back", { since: this.since, missed: this.missed });
  }

  async #lost() {
    this.source.close();
    this.until = "";
    this.lostAt ??= new Date();
    const wait = WAITS[Math.min(this.tries++, WAITS.length - 1)] * (0.8 + Math.random() * 0.4);
    this.next = new Date(Date.now() + wait);
    this.state("lost", { since: this.lostAt, next: this.next, cursor: this.cursor });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#open(), wait);
    // An EventSource does not tell why: ask for the reason, which may be that trying again is of no use.
    const stop = new AbortController();
    try {
      const answer = await fetch(this.url, { signal: stop.signal, headers: { Accept: "text/event-stream" } });
      if (answer.status === 410 || answer.status === 400) {
        const problem = await answer.json();
        clearTimeout(this.timer);
        this.state(answer.status === 410 ? "old" : "refused", { problem, cursor: this.cursor });
      }
    } catch { /* not there yet: the timer goes on */ } finally { stop.abort(); }
  }

  #check() {
    // With a query, the last missed event may lie well before the head: a quiet second says that all of them came.
    if (this.until && Date.now() - this.heard > 1_500) this.#caughtUp(this.until);
    if (this.closed || this.lostAt || this.source.readyState !== EventSource.OPEN) return;
    const silent = Date.now() - this.heard;
    if (silent > SILENT && !this.isStalled) { this.isStalled = true; this.state("stalled", { since: new Date(this.heard) }); }
    if (silent > 2 * SILENT) { this.isStalled = false; this.#lost(); }
  }
}
