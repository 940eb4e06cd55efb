// Every page: theme, time zone, keys, palette, saved views, copying. Then what this page needs.
import htmx from "htmx.org";
import { $, $$ } from "./dom.js";
import * as health from "./health.js";
import * as keys from "./keys.js";
import * as palette from "./palette.js";
import * as times from "./times.js";
import { copy } from "./toast.js";
import * as desktop from "./desktop.js";
import * as sheet from "./sheet.js";
import * as views from "./views.js";

const PAGES = {
  live: () => import("./live.js"),
  search: () => import("./search.js"),
  event: () => import("./event.js"),
  sources: () => import("./sources.js"),
  connect: () => import("./connect.js"),
  notify: () => import("./notify.js"),
};
const { page } = document.body.dataset;

for (const button of $$("[data-theme-toggle]")) button.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.theme = root.dataset.theme; } catch { /* not remembered */ }
  dispatchEvent(new CustomEvent("theme"));
});

// A cursor that is copied has all its 20 digits, however it is written on the page.
document.addEventListener("copy", event => {
  const selection = getSelection(), node = selection.anchorNode?.parentElement?.closest("[data-copy20]");
  if (!node || !node.contains(selection.focusNode)) return;
  event.clipboardData.setData("text/plain", node.dataset.copy20);
  event.preventDefault();
});
document.addEventListener("click", event => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const from = button.dataset.copyFrom && $(button.dataset.copyFrom);
  copy(from ? from.textContent : button.dataset.copy, button.dataset.copied || "Copied");
});
document.addEventListener("click", event => {
  // Not a submit button: the first one of a form is what Enter presses.
  if (event.target.closest("[data-dialog-close]")) event.target.closest("dialog").close("");
  const button = event.target.closest("[data-copy-curl]");
  if (button) copy(`curl -s ${location.origin}/v1/events/${button.dataset.copyCurl}`, "Command copied");
});
document.addEventListener("click", event => {
  const button = event.target.closest("[data-save-view]");
  if (button) views.save($("form[data-query] input[name=q]")?.value.trim() || document.title.split(" · ")[0], location.pathname + location.search);
});

const rooms = $$(".rooms .item[aria-keyshortcuts]").map(item => [item.getAttribute("aria-keyshortcuts").split(" ")[1], item.getAttribute("href"), $(".lbl", item).textContent]);
const open = palette.start({ rooms });
keys.start({ palette: open, rooms: Object.fromEntries(rooms) });
keys.bind({ "/": () => { const box = $("form[data-query] input[name=q]"); if (!box) return false; box.focus(); box.select(); return true; } });
times.start();
health.start({ owned: page === "live" });
views.draw();
sheet.start();
desktop.start();

let close = () => {};
async function enter() {
  close();
  close = () => {};
  const own = await PAGES[page]?.();
  close = own?.enter() || (() => {});
  document.documentElement.dataset.ready = page;
}
// A swapped page (another query) is entered again; a swapped piece only gets its times in the reader's zone.
document.addEventListener("htmx:afterSettle", event => {
  times.write(event.detail.elt);
  if (event.detail.elt.id === "main") { views.draw(); enter(); }
});
document.addEventListener("htmx:beforeSwap", event => {
  // A page with an error in it is a page.
  if (event.detail.xhr.status < 500 && event.detail.target.id === "main") event.detail.shouldSwap = true;
});
window.addEventListener("popstate", () => { if (page === "live" || page === "search") location.reload(); });

/** The same page with another address, without loading everything again. */
export async function turn(href) {
  close();
  close = () => {};
  delete document.documentElement.dataset.ready;
  await htmx.ajax("GET", href, { target: "#main", select: "#main", swap: "outerHTML" });
  history.pushState({}, "", href);
  // htmx gives the focus back to what has an id and is still there; without such a thing it stays in the page.
  if (document.activeElement === document.body) $("#main").focus({ preventScroll: true });
  views.draw();
}
window.addEventListener("turn", event => turn(event.detail));
enter();
