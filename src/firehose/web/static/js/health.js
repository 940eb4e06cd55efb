// The dot in the top bar: is the stream live, how far behind, how much. And the head and the troubles in the rail.
import { $, cursorHtml, esc, getJson } from "./dom.js";
import { span } from "./times.js";

const state = { word: "Live", dot: "", lag: null, rate: "" };
const EVERY = 10_000;

/** Change what the top bar says: `word`, `dot` ("", "held", "lost"), `lag` in seconds. */
export function show(change) {
  Object.assign(state, change);
  const box = $("[data-health]");
  $(".pulse", box).className = `pulse ${state.dot}`.trim();
  $("[data-health-word]", box).textContent = state.word;
  const facts = [state.lag === null || state.dot === "lost" ? "" : `${span(state.lag)} behind`, state.rate].filter(Boolean);
  $("[data-health-more]", box).innerHTML = facts.map(fact => `<span class="sep">·</span> ${esc(fact)} `).join("");
  box.title = [state.word, state.lag === null ? "" : `stream to screen ${span(state.lag)}`, state.rate ? `${state.rate}, mean of the last minute` : ""].filter(Boolean).join(". ");
}
export const head = cursor => { $("[data-head]").innerHTML = cursorHtml(cursor); };

export function start({ owned }) {
  async function look() {
    if (document.hidden) return;
    try {
      const pulse = await getJson("/pages/pulse");
      head(pulse.head);
      show(owned ? { rate: pulse.rate } : { rate: pulse.rate, word: "Live", dot: "" });
      const mark = $('.rooms a[href="/sources"] .n'), count = pulse.troubles.length;
      if (mark) { mark.textContent = count; mark.hidden = !count; }
    } catch { if (!owned) show({ word: "Lost", dot: "lost" }); }
  }
  look();
  setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
}
