// Single keys and key pairs. Nothing happens inside fields, and single keys can be switched off.
import { $, local, typing } from "./dom.js";

const bound = new Map();
let pair = 0;

/** Bind keys for the page that is shown; returns how to unbind them. An action that returns false lets the key pass. */
export function bind(keys) {
  for (const [key, act] of Object.entries(keys)) bound.set(key, act);
  return () => { for (const key of Object.keys(keys)) bound.delete(key); };
}

export function start({ palette, rooms }) {
  const help = $("#keys"), single = $("[data-single-keys]");
  single.checked = local.get("keys", true);
  single.addEventListener("change", () => local.set("keys", single.checked));
  const openHelp = () => { if (!help.open) help.showModal(); };
  $("[data-help]").addEventListener("click", openHelp);
  addEventListener("keydown", event => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") { event.preventDefault(); palette(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") { bound.get("Escape")?.(event); return; }
    if (typing(event.target) || document.querySelector("dialog[open]") || !single.checked) return;
    if (event.key === "?") { event.preventDefault(); openHelp(); return; }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (pair) {
      clearTimeout(pair);
      pair = 0;
      if (rooms[key]) { event.preventDefault(); location.href = rooms[key]; }
      return;
    }
    if (key === "g") { pair = setTimeout(() => { pair = 0; }, 1_200); return; }
    const onControl = event.target.closest?.("a, button, summary, [role=tab]");
    if (onControl && (key === " " || key === "Enter")) return;
    const act = bound.get(key);
    if (act && act(event) !== false) event.preventDefault();
  });
}
