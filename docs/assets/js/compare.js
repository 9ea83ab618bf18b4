// Puts methods side by side, from api/compare/. Text is only ever set as text.
const make = (tag, content, attributes = {}) => {
  const node = document.createElement(tag);
  node.append(...[content].flat());
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};
const cell = (lines, absent) => make("td", lines?.length
  ? make("ul", lines.map((line) => make("li", line)))
  : make("span", absent, { class: "absent" }));

const section = (parts) => {
  const [{ title, order }] = parts;
  let names = [...new Set(parts.flatMap(({ rows }) => Object.keys(rows)))];
  if (order === "sorted") names.sort();
  if (order === "differing")
    names = names.filter((name) => new Set(parts.map(({ rows }) => `${rows[name]}`)).size > 1);
  if (!names.length) return [];
  const span = { scope: "colgroup", colspan: parts.length + 1, class: "section" };
  return [make("tr", make("th", title, span)), ...names.map((name) => make("tr", [
    // max_completion_length breaks between its words
    make("th", name.split(/(?<=[._])/).flatMap((part) => [part, make("wbr", [])]), { scope: "row" }),
    ...parts.map(({ rows, absent }) => cell(rows[name], absent))]))];
};

const setUp = (root) => {
  const form = root.querySelector("form"), place = root.querySelector(".scroll");
  const status = root.querySelector(".found"), selects = [...form.querySelectorAll("select")];
  const cache = new Map();
  const get = async (id) => {
    if (!cache.has(id)) {
      const answer = await fetch(`${root.dataset.root}api/compare/${encodeURIComponent(id)}.json`);
      if (!answer.ok) throw new Error(id);
      cache.set(id, await answer.json());
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
    const heads = picked.map(({ name, path }) =>
      make("th", make("a", name, { href: root.dataset.root + path }), { scope: "col" }));
    const rows = picked[0].sections.flatMap((_, i) => section(picked.map((m) => m.sections[i])));
    place.replaceChildren(make("table", [
      make("caption", picked.map((m) => m.name).join(", ")),
      make("thead", make("tr", [make("td", []), ...heads])), make("tbody", rows),
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
