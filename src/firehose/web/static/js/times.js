// Times on the page: UTC unless this browser chose local time; relative ones stay right while the page is open.
import { $, $$, local } from "./dom.js";

const two = value => String(value).padStart(2, "0");
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
let zone = local.get("zone") === "local" ? "local" : "utc";

/** Parts of a moment in the chosen zone. */
function parts(moment) {
  return zone === "utc"
    ? [moment.getUTCFullYear(), moment.getUTCMonth(), moment.getUTCDate(), moment.getUTCHours(), moment.getUTCMinutes(), moment.getUTCSeconds()]
    : [moment.getFullYear(), moment.getMonth(), moment.getDate(), moment.getHours(), moment.getMinutes(), moment.getSeconds()];
}
export const zoneName = () => {
  if (zone === "utc") return "UTC";
  const offset = -new Date().getTimezoneOffset();
  return `UTC${offset < 0 ? "−" : "+"}${Math.floor(Math.abs(offset) / 60)}${offset % 60 ? `:${two(Math.abs(offset) % 60)}` : ""}`;
};
export const clock = moment => { const [, , , h, m, s] = parts(moment); return `${two(h)}:${two(m)}:${two(s)}`; };
export const exact = moment => { const [y, mo, d] = parts(moment); return `${y}-${two(mo + 1)}-${two(d)} ${clock(moment)} ${zoneName()}`; };
export const utc = moment => `${moment.toISOString().slice(0, 10)} ${moment.toISOString().slice(11, 19)} UTC`;
export const day = moment => { const [y, mo, d] = parts(moment); return `${d} ${MONTHS[mo]}${y === parts(new Date())[0] ? "" : ` ${y}`}`; };
export const fact = moment => { const [y, mo, d] = parts(moment); return `${d} ${MONTHS[mo].slice(0, 3)}${y === parts(new Date())[0] ? "" : ` ${y}`}, ${clock(moment)} ${zoneName()}`; };
export const dayMonth = moment => { const [, mo, d] = parts(moment); return `${d} ${MONTHS[mo].slice(0, 3)}`; };
export const short = moment => { const [, mo, d, h, m] = parts(moment); return `${d} ${MONTHS[mo].slice(0, 3)}, ${two(h)}:${two(m)}`; };

export function span(seconds) {
  if (seconds < 10) return `${seconds % 1 >= 0.05 ? seconds.toFixed(1) : Math.max(0, Math.round(seconds))} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) { const all = Math.round(seconds / 60), h = Math.floor(all / 60), m = all % 60; return m ? `${h} h ${two(m)} min` : `${h} h`; }
  return `${Math.round(seconds / 86400)} days`;
}
export function ago(moment, now = new Date()) {
  const seconds = (now - moment) / 1000;
  if (seconds < 1) return "just now";
  if (seconds >= 7 * 86400) return day(moment);
  if (seconds >= 5400 && seconds < 172800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${span(Math.floor(seconds))} ago`;
}

export const minute = moment => clock(moment).slice(0, 5);

/** The axis of a picture; a tick of another day than the one before says its date, where the picture is that long. */
function writeTicks(root) {
  let before = "";
  for (const tick of $$("[data-tick]", root)) {
    const moment = new Date(tick.dataset.tick), { form } = tick.dataset, date = dayMonth(moment);
    const dated = form === "day" || (form === "dated" && date !== before);
    tick.textContent = dated ? date : form === "clock" ? clock(moment) : minute(moment);
    before = date;
  }
}

const WRITE = { clock, exact, ago, day, fact, short };

/** Write all times below `root` in the chosen zone. `all` false: only the relative ones, which get older. */
export function write(root = document, all = true) {
  for (const element of $$(all ? "time[data-as]" : 'time[data-as="ago"]', root)) {
    const moment = new Date(element.dateTime), text = (WRITE[element.dataset.as] || exact)(moment);
    if (element.textContent !== text) element.textContent = text;
  }
  if (all) writeTicks(root);
}
const timeTag = (moment, as, text) => `<time datetime="${moment.toISOString()}" title="${utc(moment)}" data-as="${as}">${text}</time>`;
export const clockTag = moment => timeTag(moment, "clock", clock(moment));
export const agoTag = moment => timeTag(moment, "ago", ago(moment));

export function start() {
  const button = $("[data-tz]");
  const show = () => {
    const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
    button.textContent = zoneName();
    for (const word of $$("[data-zone-word]")) word.textContent = zoneName();
    button.title = zone === "utc" ? `Times are UTC. Press for your local time (${name})` : `Times are ${name}. Press for UTC`;
    button.setAttribute("aria-label", zone === "utc" ? "Times in UTC, switch to local time" : "Times in local time, switch to UTC");
  };
  button?.addEventListener("click", () => {
    zone = zone === "utc" ? "local" : "utc";
    local.set("zone", zone);
    show();
    write();
    dispatchEvent(new CustomEvent("zone"));
  });
  if (button) show();
  if (zone === "local") write();
  setInterval(() => write(document, false), 15_000);
}
