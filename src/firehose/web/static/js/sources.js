// The Sources page: the quarantine, through the API with a token that only this tab keeps.
import { $, $$, esc, getJson, icon, make, plural, session, shell } from "./dom.js";
import { agoTag } from "./times.js";
import { toast } from "./toast.js";

const KEEP = "admin-token";

/** A button that was disabled, or is gone, has lost the focus; nobody who moved on is called back. */
function stay(place) {
  if (document.activeElement === document.body && place?.isConnected) place.focus({ preventScroll: true });
}
/** Take an entry out of its list; who stood in it goes on at the next one, after the last at the heading. */
function leave(item, heading) {
  const next = item.nextElementSibling || item.previousElementSibling;
  item.remove();
  stay(next ? $("[data-do]", next) : heading);
}

export function enter() {
  const box = $("[data-q-box]"), asking = box.innerHTML, all = $("[data-q-all]"), fact = $("[data-q-fact]"), written = fact.textContent;
  let left = 0, more = false;
  const call = (path, method = "GET") => getJson(`/v1/quarantine${path}`, { method, headers: { Authorization: `Bearer ${session.get(KEEP, "")}` } });

  function ask(wrong) {
    box.innerHTML = asking;
    all.hidden = true;
    fact.textContent = written;
    const form = $("[data-q-token]"), field = $("input", form);
    if (wrong) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", "token-wrong");
      field.closest(".row").after(make(`<p class="wrong" id="token-wrong" role="alert">${icon("o-bad")}${esc(wrong)}</p>`));
      field.focus();
    }
    form.addEventListener("submit", event => { event.preventDefault(); session.set(KEEP, field.value.trim()); load().then(() => stay($("#qh"))); deadLetters.again?.(); });
  }

  async function load() {
    let answer;
    try { answer = await call(""); } catch (error) {
      if (error.status === 401 || error.status === 403) { session.drop(KEEP); ask(error.message); } else box.innerHTML = `<div class="empty">${icon("probe")}<h3>The quarantine does not answer</h3><p>${esc(error.message)}</p></div>`;
      return;
    }
    const { entries } = answer;
    all.hidden = !entries.length;
    left = entries.length;
    more = Boolean(answer.before);
    tell();
    if (!entries.length) { box.innerHTML = `<div class="empty">${icon("check")}<h3>Nothing is in quarantine</h3><p>Deliveries that nobody can read are kept here until somebody decides.</p></div>`; return; }
    box.innerHTML = `<ul class="list">${entries.map(row).join("")}</ul>`;
  }
  const tell = () => { fact.textContent = left ? `${plural(left, "delivery", "deliveries")}${more ? " and more" : ""}. Kept until somebody decides.` : "Empty."; };
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
    left--;
    tell();
    leave(item, $("#qh"));
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
    } finally { button.disabled = false; stay(button); }
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
  const letters = deadLetters();
  const enabling = async event => {
    const button = event.target.closest("[data-enable]");
    if (!button) return;
    try {
      await getJson(`/v1/sinks/${encodeURIComponent(button.dataset.enable)}/enable`, { method: "POST", headers: { Authorization: `Bearer ${session.get(KEEP, "")}` } });
      toast(`${button.dataset.enable} is switched on`, "What waits is tried at once");
      button.closest(".banner").remove();
    } catch (error) {
      if (error.status === 401 || error.status === 403) { session.drop(KEEP); ask(error.message); $("[data-q-token] input").focus(); } else toast("It stays switched off", error.message, { state: "bad", mark: "o-bad" });
    }
  };
  document.addEventListener("click", enabling);
  if (session.get(KEEP)) { load(); letters.load(); } else ask();
  return () => { box.removeEventListener("click", clicked); document.removeEventListener("click", enabling); letters.close(); };
}

/** What the sinks did not take: look, send again, discard. Empty where the hub has no sinks. */
function deadLetters() {
  const box = $("[data-d-box]"), all = $("[data-d-all]"), fact = $("[data-d-fact]");
  if (!box) return { load() {}, close() {} };
  const call = (path, method = "GET") => getJson(`/v1/deadletters${path}`, { method, headers: { Authorization: `Bearer ${session.get(KEEP, "")}` } });
  let left = 0, more = false;
  const tell = () => { fact.textContent = left ? `${plural(left, "message")}${more ? " and more" : ""}. Kept until somebody decides.` : "None."; };
  const row = entry => `<li data-letter="${entry.number}"><div class="row wrap"><b>${esc(entry.sink)}</b><span class="badge" data-o="bad">${esc(plural(entry.failures, "try", "tries"))}</span><span class="dimmer small nowrap">${agoTag(new Date(entry.time))}</span><a class="cut grow" href="/events/${BigInt(entry.sequence)}">${esc(entry.summary || entry.subject || `event ${BigInt(entry.sequence)}`)}</a><span class="row tight"><button class="btn s" type="button" data-do="replay">${icon("redo")}Send again</button><button class="btn s danger" type="button" data-do="discard">Discard…</button></span></div><p class="small dim">${esc(entry.error)}</p></li>`;
  async function load() {
    let answer;
    try { answer = await call(""); } catch (error) {
      box.innerHTML = `<div class="empty">${icon("probe")}<h3>The dead letters cannot be shown</h3><p>${esc(error.message)}</p></div>`;
      return;
    }
    const { entries } = answer;
    all.hidden = !entries.length;
    left = entries.length;
    more = Boolean(answer.before);
    tell();
    box.innerHTML = entries.length ? `<ul class="list">${entries.map(row).join("")}</ul>` : `<div class="empty">${icon("check")}<h3>Every message was taken</h3><p>What a receiver refuses for good, or for too long, is kept here.</p></div>`;
  }
  async function act(item, what, button) {
    if (what === "discard" && button.dataset.sure === undefined) { button.dataset.sure = ""; button.textContent = "Discard it for good"; return; }
    button.disabled = true;
    try {
      await call(`/${item.dataset.letter}/${what}`, "POST");
      left--;
      tell();
      leave(item, $("#dh"));
      toast(what === "replay" ? "It is sent again" : "Discarded", what === "replay" ? "It comes back here when it fails again" : "");
      if (!$("[data-letter]", box)) load();
    } catch (error) {
      $(".again", item)?.remove();
      item.append(make(`<p class="wrong small again" role="alert">${esc(error.message)}</p>`));
    } finally { button.disabled = false; stay(button); }
  }
  const stop = new AbortController(), { signal } = stop;
  box.addEventListener("click", event => { const button = event.target.closest("[data-do]"); if (button) act(button.closest("[data-letter]"), button.dataset.do, button); }, { signal });
  all.addEventListener("click", async () => { for (const item of $$("[data-letter]", box)) await act(item, "replay", $('[data-do="replay"]', item)); }, { signal });
  deadLetters.again = load;
  return { load, close() { stop.abort(); deadLetters.again = null; } };
}
