// The Connect page: tabs of examples, and the stream's own words as they come.
import { $, $$, block, esc, plural, withQuery } from "./dom.js";
import { attach } from "./querybox.js";
import { span } from "./times.js";
import { copy } from "./toast.js";

const SHOWN = 6;

export function enter() {
  const stop = new AbortController(), { signal } = stop;
  const tabs = $$("[role=tab]"), panels = $$("[role=tabpanel]");
  const pick = (tab, focus) => {
    for (const other of tabs) { other.setAttribute("aria-selected", String(other === tab)); other.tabIndex = other === tab ? 0 : -1; }
    for (const panel of panels) panel.hidden = panel.id !== tab.getAttribute("aria-controls");
    if (focus) tab.focus();
  };
  for (const [at, tab] of tabs.entries()) {
    tab.addEventListener("click", () => pick(tab), { signal });
    tab.addEventListener("keydown", event => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (by) { event.preventDefault(); pick(tabs[(at + by + tabs.length) % tabs.length], true); }
    }, { signal });
  }
  $("[data-copy-tab]").addEventListener("click", () => copy($("[role=tabpanel]:not([hidden]) pre").textContent, "Example copied"), { signal });
  const box = attach($("form[data-query]"));

  const boot = block("boot"), answer = $("[data-answer]"), note = $("[data-answer-note]"), dot = $("[data-answer-dot]");
  let frames = [], count = 0, source = null;
  const began = Date.now();
  const frame = (head, id, data) => `${head ? `<span class="tok-c">event: ${head}</span>\n` : ""}${id ? `<span class="tok-k">id:</span> ${esc(id)}\n` : ""}<span class="tok-k">data:</span> ${esc(data.length > 420 ? `${data.slice(0, 420)}…` : data)}\n`;
  const show = (head, event) => {
    if (!head) count++;
    frames = [...frames, frame(head, event.lastEventId, event.data)].slice(-SHOWN);
    answer.innerHTML = frames.join("\n");
    note.textContent = `${plural(count, "event")}, ${span((Date.now() - began) / 1000)}`;
  };
  function close(word) {
    source?.close();
    source = null;
    dot.className = "pulse held";
    $("[data-answer-stop]").textContent = "Go on";
    if (word) note.textContent = word;
  }
  function open() {
    source = new EventSource(withQuery("/v1/stream/sse", boot.q, boot.since ? { since: boot.since } : {}));
    $("[data-answer-stop]").textContent = "Stop";
    source.addEventListener("open", () => { dot.className = "pulse"; });
    for (const word of ["info", "heartbeat", "goodbye"]) source.addEventListener(word, event => show(word, event));
    source.addEventListener("message", event => show("", event));
    source.addEventListener("error", () => { dot.className = "pulse lost"; note.textContent = "The hub does not answer, the browser tries again"; });
  }
  $("[data-answer-stop]").addEventListener("click", () => (source ? close("Stopped") : open()), { signal });
  if (!$("form[data-query]").dataset.state) open();
  return () => { stop.abort(); close(""); box.close(); };
}
