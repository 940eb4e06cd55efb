// Notifications of the desktop while a page of the hub is open: what rules told "this page", shown once by one tab.
import { getJson, local } from "./dom.js";

const KEY = "notify-open", SEEN = "notify-seen", EVERY = 10_000;
export const wanted = () => local.get(KEY, false);
export function want(on) {
  local.set(KEY, on);
  local.set(SEEN, new Date().toISOString());
  if (on) start();
}

let timer = 0;
export function start() {
  clearTimeout(timer);
  if (wanted() && "Notification" in window && Notification.permission === "granted") timer = setTimeout(look, 1_000);
}

async function look() {
  // One tab at a time: what one has shown, no other shows again.
  const turn = navigator.locks ? act => navigator.locks.request("firehose-notify", act) : act => act();
  try {
    await turn(async () => {
      const { told } = await getJson("/v1/notify/told?limit=20");
      const seen = local.get(SEEN, new Date().toISOString());
      const fresh = told.filter(one => one.time > seen).reverse();
      if (fresh.length) local.set(SEEN, fresh.at(-1).time);
      for (const one of fresh.slice(-5)) show(one);
    });
  } catch (error) {
    if (error.status === 401 || error.status === 403) { local.set(KEY, false); return; }
  }
  if (wanted()) timer = setTimeout(look, EVERY);
}

function show(one) {
  const note = new Notification(one.summary, { body: `${one.kind} · because of “${one.rules.join("”, “")}”`, tag: one.message });
  note.addEventListener("click", () => { focus(); location.href = new URL(one.event).pathname; note.close(); });
}
