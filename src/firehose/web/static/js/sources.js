// The Sources page: the quarantine, through the API with a token that only this tab keeps.
import { $, esc, getJson, icon, make, plural, session, shell } from "./dom.js";
import { agoTag } from "./times.js";
import { toast } from "./toast.js";

const KEEP = "admin-token";

export function enter() {
  const box = $("[data-q-box]"), asking = box.innerHTML, all = $("[data-q-all]"), fact = $("[data-q-fact]"), written = fact.textContent;
  const call = (path, method = "GET") => getJson(`/v1/quarantine${path}`, { method, headers: { Authorization: `Bearer ${session.get(KEEP, "")}` } });

  function ask(wrong) {
    box.innerHTML = asking;
    all.hidden = true;
    fact.textContent = written;
    const form = $("[data-q-token]"), field = $("input", form);
    if (wrong) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", "token-wrong");
      field.after(make(`<p class="wrong" id="token-wrong" role="alert">${icon("o-bad")}${esc(wrong)}</p>`));
    }
    form.addEventListener("submit", event => { event.preventDefault(); session.set(KEEP, field.value.trim()); load(); });
  }

  async function load() {
    let answer;
    try { answer = await call(""); } catch (error) {
      if (error.status === 401 || error.status === 403) { session.drop(KEEP); ask(error.message); } else box.innerHTML = `<div class="empty">${icon("probe")}<h3>The quarantine does not answer</h3><p>${esc(error.message)}</p></div>`;
      return;
    }
    const { entries } = answer;
    all.hidden = !entries.length;
    fact.textContent = entries.length ? `${plural(entries.length, "delivery", "deliveries")}${answer.before ? " and more" : ""}. Kept until somebody decides.` : "Empty.";
    if (!entries.length) { box.innerHTML = `<div class="empty">${icon("check")}<h3>Nothing is in quarantine</h3><p>Deliveries that nobody can read are kept here until somebody decides.</p></div>`; return; }
    box.innerHTML = `<ul class="list">${entries.map(row).join("")}</ul>`;
  }
  const row = entry => `<li data-entry="${entry.number}"><div class="row wrap"><span class="fam" data-f="${shell.families[entry.source] || "hub"}">${icon(shell.families[entry.source] || "hub")}<span class="lbl">${esc(entry.source)}</span></span><span class="badge" data-o="warn">${esc(entry.cause)}</span><span class="dimmer small nowrap">${agoTag(new Date(entry.time))}</span><span class="row tight grow spread"><span></span><span class="row tight"><button class="btn s quiet" type="button" data-do="look" aria-expanded="false">${icon("eye")}Look</button><button class="btn s" type="button" data-do="retry">${icon("redo")}Try again</button><button class="btn s danger" type="button" data-do="discard">Discard…</button></span></span></div><p class="small dim">${esc(entry.detail)}</p></li>`;

  async function act(item, what, button) {
    const { entry } = item.dataset;
    if (what === "look") {
      const open = $(".code", item);
      button.setAttribute("aria-expanded", String(!open));
      if (open) { open.remove(); return; }
      const found = await call(`/${entry}`);
      let text = found.body ?? found.body_base64 ?? "";
      try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it came */ }
      const headers = Object.entries(found.headers || {}).map(([name, value]) => `${name}: ${value}`).join("\n");
      item.append(make(`<div class="code sample"><pre tabindex="0">${headers ? `<span class="tok-c">${esc(headers)}</span>\n\n` : ""}${esc(text)}</pre></div>`));
      return;
    }
    if (what === "discard" && button.dataset.sure === undefined) { button.dataset.sure = ""; button.textContent = "Discard it for good"; return; }
    const answer = await call(`/${entry}/${what}`, "POST");
    item.remove();
    toast(what === "retry" ? "Read this time" : "Discarded", answer.sequence ? `It is event ${answer.sequence}` : "");
    if (!$("[data-entry]", box)) load();
  }
  async function guarded(item, what, button) {
    button.disabled = true;
    try { await act(item, what, button); return true; } catch (error) {
      if (error.status === 401 || error.status === 403) { session.drop(KEEP); ask(error.message); } else if (item.isConnected) {
        $(".again", item)?.remove();
        item.append(make(`<p class="wrong small again" role="alert">Still not: ${esc(error.message)}</p>`));
      }
      return false;
    } finally { button.disabled = false; }
  }
  const clicked = event => {
    const button = event.target.closest("[data-do]");
    if (button) guarded(button.closest("[data-entry]"), button.dataset.do, button);
  };
  box.addEventListener("click", clicked);
  all.addEventListener("click", async () => {
    let read = 0;
    for (const item of [...box.querySelectorAll("[data-entry]")]) if (await guarded(item, "retry", $('[data-do="retry"]', item))) read++;
    toast("Tried all again", `${plural(read, "delivery", "deliveries")} read this time`);
  });
  if (session.get(KEEP)) load(); else ask();
  return () => box.removeEventListener("click", clicked);
}
