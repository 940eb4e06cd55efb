// The palette: jump to an event, a change, a project; search or follow what is typed; do what the page can do.
import { $, $$, debounce, esc, getJson, icon, query } from "./dom.js";
import { views } from "./views.js";

const commands = [];
/** Add commands of the page that is shown; returns how to remove them. `{word, keys, icon, act}`. */
export function offer(list) {
  commands.push(...list);
  return () => { for (const command of list) commands.splice(commands.indexOf(command), 1); };
}

export function start({ rooms }) {
  const dialog = $("#palette"), input = $("input", dialog), list = $("#palette-list"), note = $("[data-palette-note]");
  let found = [], asked = 0;

  const bold = (text, typed) => {
    const at = typed ? text.toLowerCase().indexOf(typed.toLowerCase()) : -1;
    return at < 0 ? esc(text) : `${esc(text.slice(0, at))}<b>${esc(text.slice(at, at + typed.length))}</b>${esc(text.slice(at + typed.length))}`;
  };
  const fits = (word, typed) => typed.toLowerCase().split(/\s+/).every(part => word.toLowerCase().includes(part));

  function gather(typed, answer) {
    const groups = answer?.groups || [];
    if (typed) {
      groups.push({ title: "Events", options: [
        { icon: "search", text: "Search the history for ", strong: typed, why: answer?.counted ?? "", href: `/search?${query(typed)}` },
        { icon: "live", text: "Follow ", strong: typed, tail: " live", href: `/?${query(typed)}` },
        ...(rooms.some(([, href]) => href === "/notify") ? [{ icon: "notify", text: "Notify me about ", strong: typed, why: "tries the rule on last week first", href: `/notify?${query(typed)}` }] : []),
      ] });
    }
    const go = rooms.map(([key, href, word]) => ({ icon: href === "/" ? "live" : href.slice(1), text: `Go to ${word}`, href, keys: ["G", key.toUpperCase()] }));
    const own = commands.map(command => ({ ...command, text: command.word }));
    const saved = views().map(view => ({ icon: "filter", text: view.name, why: "saved view", href: view.href }));
    const rest = [...own, ...go, ...saved].filter(option => !typed || fits(option.text, typed));
    if (rest.length) groups.push({ title: "Commands", options: rest });
    return groups;
  }

  function draw(typed, groups) {
    found = groups.flatMap(group => group.options);
    let at = 0;
    list.innerHTML = groups.map(group => `<h3 role="presentation">${esc(group.title)}</h3>${group.options.map(option => `<div class="opt" role="option" id="pal-${at}" aria-selected="${at++ === 0}"${option.family ? ` data-f="${option.family}"` : ""}>${icon(option.icon || "arrow")}${option.id ? `<span class="id">${esc(option.id)}</span>` : ""}<span class="what">${bold(option.text, option.strong ? "" : typed)}${option.strong ? `<b>${esc(option.strong)}</b>` : ""}${esc(option.tail || "")}</span><span class="why">${esc(option.why || "")}</span>${option.keys ? `<span class="keys">${option.keys.map(key => `<kbd>${esc(key)}</kbd>`).join("")}</span>` : ""}</div>`).join("")}`).join("")
      || `<div class="empty">${icon("search")}<h3>Nothing is called that</h3><p>Press Enter to search the history for it.</p></div>`;
    input.setAttribute("aria-activedescendant", found.length ? "pal-0" : "");
  }

  const ask = debounce(120, async typed => {
    const mine = ++asked;
    try {
      const answer = await getJson(`/pages/jump?${query(typed)}`);
      if (mine !== asked || !dialog.open) return;
      draw(typed, gather(typed, answer));
      note.textContent = answer.note || "";
    } catch { note.textContent = "The history does not answer"; }
  });
  function read() {
    const typed = input.value.trim();
    draw(typed, gather(typed, null));
    note.textContent = "";
    if (typed) ask(typed); else ask.cancel();
  }
  const chosen = () => $$(".opt", list).findIndex(option => option.getAttribute("aria-selected") === "true");
  function move(by) {
    const options = $$(".opt", list);
    if (!options.length) return;
    const to = (chosen() + by + options.length) % options.length;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === to)));
    options[to].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[to].id);
  }
  function take(at, fresh) {
    const option = found[at];
    if (!option) { if (input.value.trim()) location.href = `/search?${query(input.value.trim())}`; return; }
    dialog.close();
    if (option.act) option.act();
    else if (fresh) open(option.href, "_blank", "noopener");
    else location.href = option.href;
  }

  function show() {
    if (dialog.open) return;
    input.value = "";
    dialog.showModal();
    read();
    input.focus();
  }
  input.addEventListener("input", read);
  dialog.addEventListener("keydown", event => {
    if (event.key === "Tab") { event.preventDefault(); move(event.shiftKey ? -1 : 1); }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); move(event.key === "ArrowDown" ? 1 : -1); }
    if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); take(chosen(), event.ctrlKey || event.metaKey); }
  });
  list.addEventListener("click", event => {
    const option = event.target.closest(".opt");
    if (option) take($$(".opt", list).indexOf(option), event.ctrlKey || event.metaKey);
  });
  dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
  for (const button of $$("[data-palette]")) button.addEventListener("click", show);
  return show;
}
