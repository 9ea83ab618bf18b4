// Puts methods side by side from the JSON API. Text is only ever set as text.
(() => {
"use strict";

const make = (tag, text, attributes = {}) => {
 const node = document.createElement(tag);
 if (text !== undefined) node.textContent = text;
 for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
 return node;
};
const list = (values) => {
 if (!values || !values.length) return make("span", "not reported", { class: "absent" });
 const ul = make("ul");
 ul.append(...values.map((value) => make("li", value)));
 return ul;
};
const words = (setting) => [
 setting.frames !== null && (/^\d+$/.test(setting.frames) ? `${setting.frames} frames` : setting.frames),
 setting.fps !== null && `${setting.fps} fps`, setting.resolution,
 setting.subtitles === true && "with subtitles", setting.subtitles === false && "without subtitles",
 setting.note].filter(Boolean).join(", ") || "protocol not reported";
const amount = (item) => `${item.value}${{ "%": " %", seconds: " s" }[item.unit] || ""}`;

const rows = (picked) => {
 const out = [["Facts"]];
 const plain = (name, of) => out.push([name, ...picked.map((m) => list([of(m.entry)].flat().filter(Boolean)))]);
 plain("Summary", (e) => e.summary);
 plain("Year", (e) => e.paper && String(e.paper.year || ""));
 plain("Status", (e) => e.status);
 plain("Algorithm", (e) => e.algorithm);
 plain("Stages", (e) => e.stages.map((s) => s.text));
 plain("Starts from", (e) => e.base_models);
 plain("Trained on", (e) => e.trained_on);
 plain("Frames", (e) => e.frames && e.frames.text);
 plain("Hardware", (e) => e.hardware && e.hardware.text);
 const union = (of) => [...new Set(picked.flatMap(of))];
 const hooks = union((m) => m.hooks.map((h) => h.name));
 if (hooks.length) out.push(["Hooks: what each changes"]);
 for (const name of hooks) out.push([name, ...picked.map((m) => {
  const hook = m.hooks.find((h) => h.name === name);
  return hook ? list(hook.does)
   : make("span", m.module ? "as the baseline" : "no module yet", { class: "absent" });
 })]);
 const aspects = union((m) => [...m.entry.rewards.map((r) => r.aspect), ...m.entry.reward_aspects]);
 if (aspects.length) out.push(["Rewards by aspect"]);
 for (const aspect of aspects) out.push([aspect.replace(/_/g, " "), ...picked.map((m) => {
  const rules = m.entry.rewards.filter((r) => r.aspect === aspect).map((r) => r.description);
  if (rules.length) return list(rules);
  return m.entry.reward_aspects.includes(aspect) ? list(["yes; rule not reported"])
   : make("span", "no", { class: "absent" });
 })]);
 const keys = union((m) => m.hyperparameters.map((h) => h.key));
 const differing = keys.filter((key) => new Set(picked.map((m) =>
  (m.hyperparameters.find((h) => h.key === key) || {}).paper)).size > 1);
 if (differing.length) out.push(["Settings that differ in the paper presets"]);
 for (const key of differing) out.push([key, ...picked.map((m) => {
  const found = m.hyperparameters.find((h) => h.key === key);
  return found ? list([found.paper]) : make("span", "unset", { class: "absent" });
 })]);
 const label = (n) => [n.benchmark, n.split, n.metric, words(n.setting)].filter(Boolean).join(" · ");
 const own = (m) => m.entry.reported.filter((n) => !n.model || m.names.some((name) =>
  n.model.toLowerCase().includes(name)));
 const numbers = union((m) => own(m).map(label)).sort();
 if (numbers.length) out.push(["Reported numbers, one protocol a row"]);
 for (const name of numbers) out.push([name, ...picked.map((m) => {
  const here = own(m).filter((n) => label(n) === name);
  return here.length ? list(here.map((n) => amount(n) + (n.model ? ` (${n.model})` : "")))
   : make("span", "–", { class: "absent" });
 })]);
 return out;
};

const setUp = (root) => {
 const form = root.querySelector("form"), place = root.querySelector(".scroll");
 const status = root.querySelector(".found"), selects = [...form.querySelectorAll("select")];
 const cache = new Map();
 const get = async (id) => {
  if (!cache.has(id)) {
   const answer = await fetch(`${root.dataset.root}api/v1/methods/${encodeURIComponent(id)}.json`);
   if (!answer.ok) throw new Error(id);
   const method = await answer.json();
   method.names = [method.entry.name, ...method.entry.aliases].map((n) => n.toLowerCase());
   cache.set(id, method);
  }
  return cache.get(id);
 };
 const draw = async () => {
  const ids = [...new Set(selects.map((s) => s.value).filter(Boolean))];
  place.replaceChildren();
  if (!ids.length) { status.textContent = "Choose two methods or more."; return; }
  let picked;
  try { picked = await Promise.all(ids.map(get)); }
  catch (error) { status.textContent = `Could not read ${error.message}.`; return; }
  const table = make("table", undefined, { class: "plain side" }), head = make("tr");
  table.append(make("caption", picked.map((m) => m.entry.name).join(", ")));
  head.append(make("td"), ...picked.map((m) => {
   const cell = make("th", undefined, { scope: "col" });
   cell.append(make("a", m.entry.name, { href: `${root.dataset.root}catalog/methods/${m.entry.id}/` }));
   return cell;
  }));
  const body = make("tbody");
  for (const [name, ...cells] of rows(picked)) {
   const row = make("tr");
   if (!cells.length) {
    row.append(make("th", name, { scope: "colgroup", colspan: picked.length + 1, class: "section" }));
   } else {
    row.append(make("th", name, { scope: "row" }));
    for (const cell of cells) { const td = make("td"); td.append(cell); row.append(td); }
   }
   body.append(row);
  }
  const top = make("thead"); top.append(head);
  table.append(top, body); place.append(table);
  status.textContent = `${picked.length} ${picked.length > 1 ? "methods" : "method"} shown.`;
 };
 const load = () => {
  const ids = (new URLSearchParams(location.search).get("m") || "").split(",").filter(Boolean);
  selects.forEach((select, i) => { select.value = ids[i] || ""; });
  draw();
 };
 form.addEventListener("submit", (event) => event.preventDefault());
 form.addEventListener("input", () => {
  const ids = selects.map((s) => s.value).filter(Boolean);
  history.replaceState(null, "", ids.length ? `?m=${ids.join(",")}` : location.pathname);
  draw();
 });
 addEventListener("popstate", load);
 form.hidden = false;
 root.querySelector(".without").hidden = true;
 load();
};

const start = () => document.querySelectorAll(".compare:not([data-on])").forEach((root) => {
 root.dataset.on = "";
 setUp(root);
});
if (window.document$) window.document$.subscribe(start); else start();
})();
