// Short notes at the corner: six seconds, longer under the pointer. And what is read out to those who do not see.
import { $, esc, icon, make } from "./dom.js";

export function toast(title, text = "", { state = "ok", mark = "o-ok", action } = {}) {
  const box = $("[data-toasts]");
  box.append(make(`<div class="toast"><span class="oc" data-o="${state}">${icon(mark)}</span><div class="grow"><p><b>${esc(title)}</b></p>${text ? `<p>${esc(text)}</p>` : ""}</div></div>`));
  const element = box.lastElementChild;
  if (action) {
    element.append(make(`<button class="btn s quiet" type="button">${esc(action.word)}</button>`));
    $("button", element).addEventListener("click", () => { action.act(); element.remove(); });
  }
  let timer = setTimeout(() => element.remove(), 6_000);
  element.addEventListener("pointerenter", () => clearTimeout(timer));
  element.addEventListener("pointerleave", () => { timer = setTimeout(() => element.remove(), 2_000); });
}
export const say = text => { $("[data-status]").textContent = text; };

/** Put text into the clipboard and say so. Falls back to a selection where the clipboard is not allowed (plain HTTP). */
export async function copy(text, what = "Copied") {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "vh";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(what, text.length > 90 ? `${text.slice(0, 90)}…` : text.split("\n")[0]);
}
