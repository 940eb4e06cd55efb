// Notify: the query box of the editor, "changed, not saved", and this browser as a place (web push).
import { $, $$, block, getJson } from "./dom.js";
import * as desktop from "./desktop.js";
import { offer } from "./palette.js";
import { attach } from "./querybox.js";
import { toast } from "./toast.js";

const bytes = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/").padEnd(Math.ceil(text.length / 4) * 4, "=")), sign => sign.charCodeAt(0));

// What a field of a form is called where that is not the field of the rule.
const NAMES = { query: "q" };

export function enter() {
  const form = $("form[data-rule]"), stop = new AbortController(), { signal } = stop;
  const box = form && attach(form, { say: $("[data-say]", form) });
  form?.addEventListener("input", () => { $("[data-changed]", form).hidden = false; }, { signal });
  const wrong = $("[data-wrong]"), named = wrong && $(`[name="${NAMES[wrong.dataset.wrong] || wrong.dataset.wrong}"]`, wrong);
  if (named) {
    named.setAttribute("aria-invalid", "true");
    named.focus({ preventScroll: true });
    wrong.scrollIntoView({ block: "center" });
  }
  for (const button of $$("[data-sure]")) button.addEventListener("click", event => { if (!confirm(button.dataset.sure)) event.preventDefault(); }, { signal });
  const unoffer = offer([{ word: "New notification rule", icon: "plus", act: () => { location.href = "/notify?rule=new"; } }]);
  browser(signal);
  return () => { stop.abort(); box?.close(); unoffer(); };
}

function browser(signal) {
  const card = $("[data-browser]");
  if (!card) return;
  const state = $("[data-browser-state]", card), push = $("[data-push]", card), open = $("[data-open]", card);
  const tell = text => { state.textContent = text; };
  const known = "Notification" in window;
  open.checked = known && desktop.wanted() && Notification.permission === "granted";
  open.disabled = !known;
  if (!known) tell("This browser shows no notifications.");
  open.addEventListener("change", async () => {
    if (open.checked && await Notification.requestPermission() !== "granted") {
      open.checked = false;
      tell("The browser does not allow notifications from this hub. Its settings for this site change that.");
      return;
    }
    desktop.want(open.checked);
    tell(open.checked ? "Shown while any page of the hub is open." : "");
  }, { signal });
  const can = known && "serviceWorker" in navigator && "PushManager" in window;
  push.disabled = !can;
  if (!can) { if (known) tell("This browser has no web push, or the hub is not reached by HTTPS."); return; }
  navigator.serviceWorker.getRegistration("/").then(async found => { push.checked = Boolean(await found?.pushManager.getSubscription()); });
  push.addEventListener("change", async () => {
    push.disabled = true;
    try { await (push.checked ? subscribe() : unsubscribe()); location.href = `/notify?said=${push.checked ? "place" : "unpushed"}#places`; } catch (error) {
      push.checked = !push.checked;
      tell(error.problem?.detail || `The browser's push service does not answer: ${error.message}`);
      toast("This browser is not changed", "", { state: "bad", mark: "o-bad" });
    }
    push.disabled = false;
  }, { signal });
}

const post = (url, value, method = "POST") => getJson(url, { method, headers: { Accept: "application/json", "Content-Type": "application/json" }, body: JSON.stringify(value) });

async function subscribe() {
  if (await Notification.requestPermission() !== "granted") throw new Error("notifications are not allowed");
  const worker = await navigator.serviceWorker.register("/notify-worker.js", { scope: "/" });
  await navigator.serviceWorker.ready;
  const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(block("boot").push.key) });
  const { endpoint, keys } = made.toJSON();
  const title = navigator.userAgentData?.brands?.at(-1)?.brand || /(Firefox|Safari|Chrom\w+)/.exec(navigator.userAgent)?.[1] || "Browser";
  await post("/v1/notify/places", { kind: "push", to: endpoint, title: `${title} on ${navigator.platform || "this machine"}`.slice(0, 100), keys });
}

async function unsubscribe() {
  const found = await navigator.serviceWorker.getRegistration("/");
  await (await found?.pushManager.getSubscription())?.unsubscribe();
}
