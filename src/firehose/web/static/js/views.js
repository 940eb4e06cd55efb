// Saved views: queries kept in this browser, listed in the rail.
import { $, esc, icon, local } from "./dom.js";
import { toast } from "./toast.js";

const KEY = "views";
export const views = () => local.get(KEY, []).filter(view => view && view.name && view.href);

export function draw() {
  const list = views(), box = $("[data-views]"), here = location.pathname + location.search;
  $("[data-views-head]").hidden = !list.length;
  box.innerHTML = list.map(view => `<a class="item" href="${esc(view.href)}"${view.href === here ? ' aria-current="true"' : ""} title="${esc(view.name)}">${icon("filter")}<span class="lbl">${esc(view.name)}</span></a>`).join("");
}

/** Ask for a name and keep the address; the same address again offers to forget it. */
export function save(name, href) {
  const list = views(), known = list.findIndex(view => view.href === href);
  if (known >= 0) {
    const [old] = list.splice(known, 1);
    local.set(KEY, list);
    draw();
    toast("View forgotten", old.name, { action: { word: "Undo", act: () => { local.set(KEY, [...views(), old]); draw(); } } });
    return;
  }
  const dialog = $("#name-view"), field = $("input", dialog);
  field.value = name;
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue !== "save" || !field.value.trim()) return;
    local.set(KEY, [...views(), { name: field.value.trim().slice(0, 60), href }]);
    draw();
    toast("View saved", "It is in the rail, in this browser only");
  };
  dialog.showModal();
  field.select();
}
