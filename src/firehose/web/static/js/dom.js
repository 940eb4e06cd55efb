// Small things that every module uses. No state but what the server wrote into the page.
export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Values of a data block; {} when the page has none. */
export const block = id => JSON.parse($(`#${id}`)?.textContent || "{}");
export const shell = block("shell");

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };
export const esc = text => String(text ?? "").replace(/[&<>"']/g, sign => ESCAPES[sign]);
export const icon = (name, small) => `<svg class="icon${small ? " s" : ""}" aria-hidden="true"><use href="${shell.icons}#${name}"/></svg>`;

export function make(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/** Storage that may be forbidden (private windows): then nothing is remembered. */
const guarded = name => ({
  get(key, otherwise = null) { try { return JSON.parse(window[name].getItem(key)) ?? otherwise; } catch { return otherwise; } },
  set(key, value) { try { window[name].setItem(key, JSON.stringify(value)); } catch { /* not remembered */ } },
  drop(key) { try { window[name].removeItem(key); } catch { /* was not there */ } },
});
export const local = guarded("localStorage");
export const session = guarded("sessionStorage");

export async function getJson(url, options = {}) {
  const answer = await fetch(url, { headers: { Accept: "application/json", ...options.headers }, ...options });
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(value.detail || `${answer.status} ${answer.statusText}`), { status: answer.status, problem: value });
  return value;
}
export async function getHtml(url, options = {}) {
  const answer = await fetch(url, { headers: { Accept: "text/html", "HX-Request": "true" }, ...options });
  if (!answer.ok) throw Object.assign(new Error(`${answer.status} ${answer.statusText}`), { status: answer.status });
  return answer.text();
}

export function debounce(wait, act) {
  let timer = 0;
  const later = (...args) => { clearTimeout(timer); timer = setTimeout(act, wait, ...args); };
  later.cancel = () => clearTimeout(timer);
  return later;
}

export const number = value => Number(value).toLocaleString("en-US");
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
/** "00000000000048210337" is "48 210 337" on screen. */
export const grouped = cursor => String(BigInt(cursor)).replace(/\B(?=(\d{3})+$)/g, " ");
export const cursor20 = sequence => String(sequence).padStart(20, "0");
export const cursorHtml = cursor => `<span class="cursor" title="cursor ${cursor20(cursor)}" data-copy20="${cursor20(cursor)}">${grouped(cursor)}</span>`;

export const typing = target => target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
export const query = (q, more = {}) => {
  const params = new URLSearchParams(more);
  if (q) params.set("q", q);
  return String(params);
};
export const withQuery = (path, q, more) => { const rest = query(q, more); return rest ? `${path}?${rest}` : path; };
