// The query box: the parser's colours under the text, its explanation, its errors with their place, completions.
import { $, debounce, esc, getJson, icon, make, query } from "./dom.js";

const FACETS = ["topic", "source", "kind", "type", "project", "actor", "subject", "outcome", "severity"];
const NARROWING = new Set(FACETS.flatMap(name => [name, `not_${name}`]));

export function attach(form, { submit, say = $("[data-say]") } = {}) {
  const input = $("input[name=q]", form), ink = $(".ink", form), list = $(".complete", form), error = $(".query-err", form);
  const stop = new AbortController(), { signal } = stop;
  let asked = 0, chosen = -1, options = [];

  const follow = () => { ink.style.transform = `translateX(${-input.scrollLeft}px)`; };
  const plain = () => { ink.textContent = input.value; follow(); };

  // Facets that are ticked: hidden fields of the same form.
  const beside = () => [...new FormData(form)].filter(([name]) => NARROWING.has(name));

  async function read(show) {
    // A reading that shows errors is not overtaken by one that does not, which was still waiting to be asked.
    if (show) { soon.cancel(); settled.cancel(); }
    const mine = ++asked, text = input.value;
    let answer;
    try { answer = await getJson(`/pages/query?${query(text, beside())}`, { signal }); } catch { return null; }
    if (mine !== asked || input.value !== text) return answer;
    ink.replaceChildren(make(answer.ink.map(([piece, colour]) => `<span class="${colour}">${esc(piece)}</span>`).join("")));
    follow();
    if (!answer.wrong || show) complain(answer.wrong);
    // The sentence of another query says nothing of this one.
    if (say && answer.wrong && show) say.replaceChildren();
    if (say && !answer.wrong) say.innerHTML = answer.say.map(([piece, strong]) => strong ? `<b>${esc(piece)}</b>` : esc(piece)).join("");
    return answer;
  }

  function complain(wrong) {
    form.toggleAttribute("data-state", false);
    error.hidden = !wrong;
    error.closest(".field")?.removeAttribute("data-state");
    if (!wrong) { input.removeAttribute("aria-invalid"); input.removeAttribute("aria-describedby"); error.replaceChildren(); return; }
    form.dataset.state = "error";
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", "query-error");
    error.innerHTML = `<pre aria-hidden="true">${" ".repeat(wrong.position)}${"^".repeat(wrong.length || 1)}</pre><p class="msg"><span>${esc(wrong.detail)}</span>${wrong.nearest ? '<button class="btn s" type="button" data-mend>Change it</button>' : ""}</p>`;
    error.dataset.mend = JSON.stringify([wrong.position, wrong.length, wrong.nearest]);
  }

  const soon = debounce(110, () => read(false));
  const settled = debounce(800, () => read(true));
  const complete = debounce(90, async () => {
    const text = input.value, at = input.selectionStart;
    let answer;
    try { answer = await getJson(`/pages/complete?${query(text, { at })}`, { signal }); } catch { return; }
    if (input.value !== text || document.activeElement !== input) return;
    options = answer.options;
    draw();
  });

  function draw() {
    chosen = options.length ? 0 : -1;
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    input.removeAttribute("aria-activedescendant");
    if (list.hidden) { list.replaceChildren(); return; }
    list.innerHTML = options.map((option, at) => `<div class="opt" role="option" id="opt-${at}" aria-selected="${at === chosen}"${option.family ? ` data-f="${option.family}"` : ""}>${icon(option.icon || "tag")}<span class="what">${marked(option.text, option.match)}</span><span class="why">${esc(option.why || "")}</span><span class="n">${esc(option.note || "")}</span></div>`).join("")
      + '<div class="pop-foot" aria-hidden="true"><span class="hints"><span><span class="keys"><kbd>Tab</kbd></span> take</span><span><span class="keys"><kbd>Esc</kbd></span> close</span><span><span class="keys"><kbd>↵</kbd></span> search</span></span></div>';
    input.setAttribute("aria-activedescendant", `opt-${chosen}`);
  }
  const marked = (text, [from, to]) => `${esc(text.slice(0, from))}${to > from ? `<mark>${esc(text.slice(from, to))}</mark>` : ""}${esc(text.slice(to))}`;
  const shut = () => { options = []; draw(); };
  function choose(at) {
    chosen = (at + options.length) % options.length;
    [...list.querySelectorAll(".opt")].forEach((option, index) => option.setAttribute("aria-selected", String(index === chosen)));
    input.setAttribute("aria-activedescendant", `opt-${chosen}`);
    list.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }
  function take(at) {
    const { start, stop: end, text } = options[at];
    input.setRangeText(text + (text.endsWith(":") ? "" : " "), start, end, "end");
    plain();
    shut();
    soon();
    if (text.endsWith(":")) complete();
  }

  input.addEventListener("input", () => { plain(); soon(); settled(); complete(); }, { signal });
  input.addEventListener("scroll", follow, { signal });
  input.addEventListener("blur", () => setTimeout(shut, 120), { signal });
  input.addEventListener("keydown", event => {
    if (event.key === "Escape") {
      if (options.length) { event.preventDefault(); event.stopPropagation(); shut(); } else input.blur();
    } else if (event.key === "Tab" && options.length && !event.shiftKey) { event.preventDefault(); take(chosen); } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && options.length) {
      event.preventDefault();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    }
  }, { signal });
  list.addEventListener("pointerdown", event => {
    event.preventDefault();
    const option = event.target.closest(".opt");
    if (option) take([...list.querySelectorAll(".opt")].indexOf(option));
  }, { signal });
  error.addEventListener("click", event => {
    if (!event.target.closest("[data-mend]")) return;
    const [position, length, nearest] = error.dataset.mend ? JSON.parse(error.dataset.mend) : served();
    input.setRangeText(nearest, position, position + length, "end");
    input.focus();
    plain();
    read(true);
  }, { signal });
  // An error that came with the page: its place is where the marks stand.
  const served = () => { const marks = $("pre", error).textContent; return [marks.indexOf("^"), marks.length - marks.indexOf("^"), /'([^']+)'\?$/.exec($(".msg span", error).textContent.trim())?.[1] || ""]; };
  form.addEventListener("submit", async event => {
    if (!submit) return;
    event.preventDefault();
    shut();
    const answer = await read(true);
    if (answer && !answer.wrong) submit(input.value.trim());
  }, { signal });
  follow();
  return {
    input,
    get value() { return input.value.trim(); },
    set(text) { input.value = text; plain(); read(true); },
    complain,
    close() { stop.abort(); soon.cancel(); settled.cancel(); complete.cancel(); },
  };
}
