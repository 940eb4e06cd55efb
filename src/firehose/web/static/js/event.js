// The event page: picture or list, earlier and later by key.
import { $, $$, local } from "./dom.js";
import { bind } from "./keys.js";
import { copy } from "./toast.js";

export function enter() {
  const graph = $("[data-graph]"), buttons = $$(".seg [data-as]");
  const show = as => {
    graph.toggleAttribute("data-list", as === "list");
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.as === as));
  };
  if (buttons.length) show(local.get("way", "picture"));
  for (const button of buttons) button.addEventListener("click", () => { local.set("way", button.dataset.as); show(button.dataset.as); });
  const go = selector => () => { const link = $(selector); if (!link) return false; location.href = link.href; return true; };
  return bind({ j: go("[data-later]"), k: go("[data-earlier]"), o: go("[data-outside]"), f: go("[data-follow]"), y: () => { copy(location.origin + location.pathname, "Permalink copied"); } });
}
