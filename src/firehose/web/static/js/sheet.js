// "More" on a phone: what the wide window has in its bars.
import { $, $$, esc, icon, query } from "./dom.js";
import { views } from "./views.js";

export function start() {
  const dialog = $("#more"), button = $("[data-more]");
  button.addEventListener("click", () => {
    const typed = $("form[data-query] input[name=q]")?.value.trim() || "";
    $("[data-more-follow]", dialog).href = `/connect${typed ? `?${query(typed)}` : ""}`;
    $("[data-more-feed]", dialog).href = `/v1/events?${query(typed, { format: "atom" })}`;
    const list = views();
    $("[data-more-views-head]", dialog).hidden = !list.length;
    $("[data-more-views]", dialog).innerHTML = list.map(view => `<a class="item" href="${esc(view.href)}">${icon("filter")}${esc(view.name)}</a>`).join("");
    dialog.showModal();
  });
  $("[data-tz-more]", dialog).addEventListener("click", () => $("[data-tz]").click());
  for (const closing of $$("[data-closes]", dialog)) closing.addEventListener("click", () => dialog.close(), { capture: true });
  dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
}
