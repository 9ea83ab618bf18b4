// Sorts, filters and copies the catalogue's tables, which are complete without it.
const setUp = (root) => {
 const form = root.querySelector("form"), table = root.querySelector("table");
 const body = table.tBodies[0], all = [...body.rows], heads = [...table.tHead.rows[0].cells];
 const found = root.querySelector(".found"), text = form.elements.text;
 const selects = [...form.querySelectorAll("select")];
 const haystack = new Map(all.map((row) =>
  [row, (row.textContent + " " + (row.dataset.q || "")).toLowerCase()]));
 let sort = "", touched = false;
 const shown = () => [...body.rows].filter((row) => !row.hidden);
 const values = (row, name) => (row.dataset[name] || "").split(" ");

 const apply = () => {
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (row, skip) =>
   words.every((word) => haystack.get(row).includes(word)) &&
   selects.every((s) => s === skip || !s.value || values(row, s.name).includes(s.value));
  let n = 0;
  for (const row of all) n += !(row.hidden = !fits(row));
  for (const select of selects) {
   const counts = {};
   for (const row of all) if (fits(row, select))
    for (const value of values(row, select.name))
     counts[value] = (counts[value] || 0) + 1;
   for (const option of select.options) if (option.value) {
    const count = counts[option.value] || 0;
    option.textContent = `${option.dataset.label} (${count})`;
    option.disabled = !count && !option.selected;
   }
   select.closest("label").classList.toggle("active", !!select.value);
  }
  found.textContent = touched ? `${n} of ${all.length} ${root.dataset.noun}` : "";
 };

 const order = () => {
  const down = sort.startsWith("-"), name = sort.replace(/^-/, "");
  const at = heads.findIndex((head) => head.dataset.name === name);
  for (const head of heads) head.removeAttribute("aria-sort");
  if (at < 0) { body.append(...all); return; }
  heads[at].setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => row.cells[at].dataset.v ?? row.cells[at].textContent.trim().toLowerCase();
  const numeric = heads[at].dataset.sort === "number";
  const compare = numeric ? (a, b) => (+key(a) || 0) - (+key(b) || 0)
              : (a, b) => key(a).localeCompare(key(b));
  body.append(...[...all].sort((a, b) => (down ? -1 : 1) * compare(a, b)));
 };

 const save = () => {
  const query = new URLSearchParams();
  for (const field of [text, ...selects]) if (field.value) query.set(field.name, field.value);
  if (sort) query.set("sort", sort);
  const next = `${query}` ? `?${query}` : location.pathname;
  history.replaceState(null, "", next + location.hash);
 };

 const load = () => {
  const query = new URLSearchParams(location.search);
  for (const field of [text, ...selects]) field.value = query.get(field.name) || "";
  sort = query.get("sort") || "";
  touched = [...query].length > 0;
  order(); apply();
 };

 for (const head of heads) {
  head.dataset.name = head.textContent.trim().toLowerCase().replace(/[^a-z]+/g, "-");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  button.addEventListener("click", () => {
   const { name } = head.dataset;
   sort = sort === name ? `-${name}` : sort === `-${name}` ? "" : name;
   order(); save();
  });
  head.replaceChildren(button);
 }
 form.addEventListener("submit", (event) => event.preventDefault());
 form.addEventListener("input", () => { touched = true; apply(); save(); });
 form.addEventListener("reset", () => setTimeout(() => { sort = ""; order(); apply(); save(); }));
 text.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && text.value) {
   event.stopPropagation(); text.value = ""; apply(); save();
  }
 });
 addEventListener("popstate", load);

 const cells = (row) => [...row.cells].map((cell) => cell.textContent.trim());
 const make = {
  md: () => {
   const line = (list) => `| ${list.map((c) => c.replace(/\|/g, "\\|")).join(" | ")} |`;
   const linked = (row) => {
    const list = cells(row);
    list[0] = `[${list[0]}](${row.cells[0].querySelector("a").href})`;
    return line(list);
   };
   const top = heads.map((head) => head.textContent);
   return [line(top), line(top.map(() => "---")), ...shown().map(linked)].join("\n");
  },
  csv: () => {
   // A leading = + - @ would run as a formula in a spreadsheet.
   const cell = (c) => `"${c.replace(/^[=+\-@]/, "'$&").replace(/"/g, '""')}"`;
   const line = (list) => list.map(cell).join(",");
   return [line(["id", ...heads.map((head) => head.textContent)]),
       ...shown().map((row) => line([row.dataset.id, ...cells(row)]))].join("\r\n");
  },
  bib: async () => {
   const bib = await (await fetch(table.dataset.bib)).text();
   const parts = new Map(bib.split(/^% /m).slice(1).map((part) => {
    const end = part.indexOf("\n");
    return [part.slice(0, end).trim(), part.slice(end + 1).trim()];
   }));
   return shown().map((row) => parts.get(row.dataset.id)).filter(Boolean).join("\n\n");
  },
 };
 const tools = root.querySelector(".copy");
 tools.addEventListener("click", async (event) => {
  const kind = event.target.dataset.copy;
  if (!kind) return;
  try {
   await navigator.clipboard.writeText(await make[kind]());
   found.textContent = `Copied ${shown().length} ${root.dataset.noun}`;
  } catch {
   found.textContent = "The browser did not allow copying";
  }
 });
 form.hidden = tools.hidden = false;
 load();
};

document.querySelectorAll(".catalogue").forEach(setUp);
