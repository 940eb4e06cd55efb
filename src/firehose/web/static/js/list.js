// Keyboard and pointer in a list of events: one tab stop, J and K or arrows inside, a row that is looked at.
import { $$ } from "./dom.js";

export class List {
  /** `selected(row, {by})` when another row is looked at, null when none is. */
  constructor(list, selected = () => {}) {
    this.list = list;
    // The row is the stop; without scripts its link is.
    for (const link of $$(".ev .sum a", list)) link.tabIndex = -1;
    this.selected = selected;
    this.stop = new AbortController();
    const { signal } = this.stop;
    list.addEventListener("click", event => {
      const row = event.target.closest(".ev");
      if (row && !event.target.closest("a, button")) this.select(row, "pointer");
    }, { signal });
    list.addEventListener("keydown", event => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); this.move(event.key === "ArrowDown" ? 1 : -1); }
      if (event.key === "Home" || event.key === "End") { event.preventDefault(); this.select(this.rows.at(event.key === "Home" ? 0 : -1), "key"); }
    }, { signal });
  }

  close() { this.stop.abort(); }
  get rows() { return $$(".ev[data-seq]", this.list); }
  get current() { return this.list.querySelector('.ev[aria-current="true"]'); }
  get focused() { return document.activeElement?.closest?.(".ev[data-seq]") || this.current; }

  move(by) {
    const { rows } = this;
    if (!rows.length) return;
    const at = rows.indexOf(this.focused);
    this.select(rows[at < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, at + by))], "key");
  }

  select(row, by) {
    if (!row) return;
    for (const other of $$('.ev[tabindex="0"], .ev[aria-current]', this.list)) { other.tabIndex = -1; other.removeAttribute("aria-current"); }
    row.tabIndex = 0;
    row.setAttribute("aria-current", "true");
    if (by === "key" || by === "pointer") row.focus({ preventScroll: by === "pointer" });
    if (by === "key") row.scrollIntoView({ block: "nearest" });
    this.selected(row, { by });
  }

  clear() {
    const { current } = this;
    if (!current) return false;
    current.removeAttribute("aria-current");
    if (this.list.contains(document.activeElement)) document.activeElement.blur();
    this.selected(null, {});
    return true;
  }
}
