// Puts methods side by side from the JSON API. Text is only ever set as text.
const make = (tag, content, attributes = {}) => {
 const node = document.createElement(tag);
 node.append(...[content].flat());
 for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
 return node;
};
const absent = (text) => make("span", text, { class: "absent" });
const list = (values) => (values?.length ? make("ul", values.map((value) => make("li", value)))
 : absent("not reported"));
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
 plain("Year", (e) => e.paper?.year);
 plain("Status", (e) => e.status);
 plain("Algorithm", (e) => e.algorithm);
 plain("Stages", (e) => e.stages.map((s) => s.text));
 plain("Starts from", (e) => e.base_models);
 plain("Trained on", (e) => e.trained_on);
 plain("Frames", (e) => e.frames?.text);
 plain("Hardware", (e) => e.hardware?.text);
 const union = (of) => [...new Set(picked.flatMap(of))];
 const section = (title, names, cell) => {
  if (names.length) out.push([title]);
  for (const name of names) out.push([name, ...picked.map((m) => cell(m, name))]);
 };
 section("Hooks: what each changes", union((m) => m.hooks.map((h) => h.name)), (m, name) => {
  const hook = m.hooks.find((h) => h.name === name);
  return hook ? list(hook.does) : absent(m.module ? "as the baseline" : "no module yet");
 });
 const named = (aspect) => aspect.replace(/_/g, " ");
 section("Rewards by aspect", union(({ entry }) =>
  [...entry.rewards.map((r) => r.aspect), ...entry.reward_aspects].map(named)), ({ entry }, name) => {
  const rules = entry.rewards.filter((r) => named(r.aspect) === name).map((r) => r.description);
  if (rules.length) return list(rules);
  return entry.reward_aspects.map(named).includes(name) ? list(["yes; rule not reported"]) : absent("no");
 });
 const value = (m, key) => m.hyperparameters.find((h) => h.key === key)?.paper;
 section("Settings that differ in the paper presets",
  union((m) => m.hyperparameters.map((h) => h.key)).filter((key) =>
   new Set(picked.map((m) => value(m, key))).size > 1),
  (m, key) => (value(m, key) === undefined ? absent("unset") : list([value(m, key)])));
 const label = (n) => [n.benchmark, n.split, n.metric, words(n.setting)].filter(Boolean).join(" · ");
 const own = (m) => m.entry.reported.filter((n) => !n.model || m.names.some((name) =>
  n.model.toLowerCase().includes(name)));
 section("Reported numbers, one protocol a row", union((m) => own(m).map(label)).sort(), (m, name) => {
  const here = own(m).filter((n) => label(n) === name);
  return here.length ? list(here.map((n) => amount(n) + (n.model ? ` (${n.model})` : ""))) : absent("–");
 });
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
  const head = picked.map(({ entry }) => make("th",
   make("a", entry.name, { href: `${root.dataset.root}catalog/methods/${entry.id}/` }), { scope: "col" }));
  const body = rows(picked).map(([name, ...cells]) => make("tr", cells.length
   ? [make("th", name, { scope: "row" }), ...cells.map((cell) => make("td", cell))]
   : make("th", name, { scope: "colgroup", colspan: picked.length + 1, class: "section" })));
  place.append(make("table", [
   make("caption", picked.map((m) => m.entry.name).join(", ")),
   make("thead", make("tr", [make("td", []), ...head])), make("tbody", body),
  ], { class: "plain side" }));
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

document.querySelectorAll(".compare").forEach(setUp);
