// Selected rows, and what can be done with them together. They stay selected while the list moves under them.
import { $, $$, make, plural, query } from "./dom.js";
import { copy, say, toast } from "./toast.js";

const MOST = 100;

export class Picks {
  /** `turn(href)` goes to another address of the same room. */
  constructor(list, turn) {
    Object.assign(this, { list, bar: $("[data-picks]"), chosen: new Map(), stop: new AbortController() });
    this.bar.addEventListener("click", event => {
      const does = event.target.closest("[data-does]")?.dataset.does;
      if (does === "links") copy(this.#sequences().map(at => `${location.origin}/events/${at}`).join("\n"), `${plural(this.chosen.size, "permalink")} copied`);
      if (does === "json") this.#json();
      if (does === "only") turn(`/search?${query(this.#sequences().map(at => `sequence:${at}`).join(" OR "), { since: "earliest" })}`);
      if (does === "clear") this.clear();
    }, { signal: this.stop.signal });
    this.#draw();
  }

  get size() { return this.chosen.size; }
  #sequences() { return [...this.chosen.keys()].sort((a, b) => a - b); }

  toggle(row) {
    if (!row?.dataset.seq) return false;
    const at = Number(row.dataset.seq);
    if (this.chosen.has(at)) this.#drop(at);
    else if (this.chosen.size >= MOST) { toast(`${MOST} events are selected`, "That is the most at once", { state: "warn", mark: "o-warn" }); return true; }
    else {
      this.chosen.set(at, row);
      row.dataset.picked = "";
      row.prepend(make('<span class="vh" data-picked-word>Selected: </span>'));
    }
    this.#draw();
    say(this.chosen.size ? `${plural(this.chosen.size, "event")} selected` : "Nothing is selected");
    return true;
  }

  #drop(at) {
    const row = this.chosen.get(at);
    delete row.dataset.picked;
    $$("[data-picked-word]", row).forEach(word => word.remove());
    this.chosen.delete(at);
  }

  /** Whether there was something to clear. */
  clear() {
    if (!this.chosen.size) return false;
    for (const at of [...this.chosen.keys()]) this.#drop(at);
    this.#draw();
    return true;
  }

  #draw() {
    this.bar.hidden = !this.chosen.size;
    $("[data-picks-count]", this.bar).textContent = plural(this.chosen.size, "event");
  }

  async #json() {
    const lines = [];
    try {
      for (const at of this.#sequences()) {
        const answer = await fetch(`/v1/events/${at}`, { headers: { Accept: "application/json" } });
        if (!answer.ok) throw new Error(`event ${at}: ${answer.status}`);
        lines.push(JSON.stringify(await answer.json()));
      }
      copy(lines.join("\n"), `${plural(lines.length, "event")} copied, one a line`);
    } catch (error) { toast("The events could not be copied", error.message, { state: "bad", mark: "o-bad" }); }
  }

  close() {
    this.clear();
    this.stop.abort();
  }
}
