// The reward rules of reproductions/shared/rewards for multiple choice, run in the page.
// tests/vidpost/site/test_site_explorer.py holds every function to the Python one.
(() => {
"use strict";

// Python's idea of blank; JavaScript's trim() differs at six characters.
const B = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const W = `[${B}]`, re = (pattern, flags) => new RegExp(pattern, flags);
const strip = (text) => text.replace(re(`^${W}+|${W}+$`, "g"), "");
const is = (value) => (value ? 1 : 0);
const mark = (text, pattern) => (text.match(pattern) || [""])[0];

const tag = (text, { name = "answer", last = false, lines = true, or = "" } = {}) => {
 const open = `<${name}>`, close = `</${name}>`;
 let found = null, start = text.indexOf(open);
 while (start >= 0) {
  const inner = start + open.length, end = text.indexOf(close, inner);
  if (end < 0) break;
  const feed = lines ? -1 : text.slice(inner, end).indexOf("\n");
  if (feed < 0) {
   found = text.slice(inner, end);
   if (!last) break;
   start = text.indexOf(open, end + close.length);
  } else start = text.indexOf(open, inner + feed + 1);
 }
 return found === null ? or : strip(found);
};
const sequence = (text, anchor = "full", names = ["think", "answer"], gaps = [`${W}*`]) => {
 const first = `<${names[0]}>`, end = `</${names.at(-1)}>`;
 let at = anchor === "suffix" ? text.indexOf(first) : 0;
 if (at < 0 || !text.startsWith(first, at)) return false;
 at += first.length;
 for (let i = 0; i + 1 < names.length; i += 1) {
  const joint = re(`</${names[i]}>${gaps[i]}<${names[i + 1]}>`, "g");
  joint.lastIndex = at;
  if (!joint.exec(text)) return false;
  at = joint.lastIndex;
 }
 if (anchor === "prefix") return text.indexOf(end, at) >= 0;
 return text.endsWith(end) && text.length - end.length >= at;
};
const count = (text, part) => text.split(part).length - 1;

const JOINED = ["The best answer is", "The correct answer is", "The answer is", "The answer",
 "The best option isThe correct option is", "Best answer:Best option:"];
const capital = (text, last = "D", without = []) =>
 mark(without.reduce((rest, phrase) => rest.replaceAll(phrase, ""), text), `[A-${last}]`);
const leading = (text) => {
 text = strip(text);
 return (mark(text, /^[A-Za-z]/) || text).toUpperCase();
};
const ladder = (text, letters, groups) => {
 for (const group of groups) for (const letter of letters)
  if (group.some((form) => text.includes(form.replace("*", letter)))) return letter;
 return "";
};
const letters = (text) => new Set(strip(text).replaceAll(" ", "").split(","));
const TOLD = ["answer", "correct answer", "best answer", "correct option", "best option", "choice",
 "correct choice"].flatMap((what) => [`the ${what} is`, `${what} is`]).concat("i choose", "i select",
 "i pick", "my answer is", "my choice is", "옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは");
const latest = (at) => {
 let best = "", most = -1;
 for (const x of "ABCD") if (at(x) > most) [best, most] = [x, at(x)];
 return best;
};
const place = (text) => {
 text = strip(text);
 for (const end of ",.!?;:'\"") text = text.replace(re(`^[${end}]+|[${end}]+$`, "g"), "");
 const bare = [...strip(text)], alpha = /^\p{L}/u;
 if (bare.length && "ABCD".includes(bare[0]) && !alpha.test(bare[1] || "")) return bare[0];
 if (bare.length && "ABCD".includes(bare.at(-1)) && !alpha.test(bare.at(-2) || "")) return bare.at(-1);
 const lower = text.toLowerCase();
 const starts = TOLD.filter((p) => lower.includes(p)).map((p) => lower.indexOf(p) + p.length);
 let found = latest((x) => Math.max(-1, ...starts.map((at) => text.indexOf(x, at))));
 for (const form of ["(*)", "*.", "*:", "*)", "* ", "*"])
  found = found || latest((x) => `${text} `.lastIndexOf(form.replace("*", x)));
 return found;
};
const student = (text) => {
 const tagged = tag(text, { or: null });
 if (tagged !== null) return tagged;
 const told = [...text.matchAll(re(`:${W}*([A-Za-z])`, "g"))];
 for (const phrase of [/final answer/giu, /correct answer/giu]) {
  for (const { index, 0: found } of text.matchAll(phrase)) {
   const start = index + found.length, feed = text.indexOf("\n", start);
   const first = told.find((m) => m.index >= start);
   if (first && (feed < 0 || first.index < feed)) return first[1];
  }
 }
 return leading(text);
};
const bridge = (text) => ladder(text, "ABCDEFG", [["*.", "{*}"]])
 || ladder(text, "abcdefg", [["*. "]]).toUpperCase() || text;

const FORMATS = {
 tinyllava_video_r1: (t) => {
  const tags = ["<think>", "</think>", "<answer>", "</answer>"];
  if (!sequence(t) || tags.some((x) => count(t, x) !== 1)) return 0;
  const length = [...tag(t, { name: "think" })].length;
  return length < 1200 ? 0.5 + 0.5 * (length / 1200) : 1;
 },
 time_r1: (t) => is(sequence(strip(t))),
 tw_grpo: (t) => is(count(t, "<think>") < 2 && count(t, "<answer>") < 2
  && sequence(t.replace(re(`[${B}!]+$`), ""), "suffix")),
 viarl: (t) => is(sequence(t, "full", ["think", "index", "answer"], [`${W}*`, ""])),
 vidbridge_r1: (t) => is(sequence(t, "prefix")),
 video_r1: (t) => is(sequence(t)),
 video_rts: (t) => is(sequence(t, "prefix")),
};
const grounded = (t, g, safe) => {
 const read = (part) => capital(part, "G", JOINED), answer = tag(t, { or: null });
 if (answer === null) return 0;
 const found = read(answer);
 return is(found === read(g) && !(safe && !found));
};
const ACCURACY = {
 av_reasoner: (t, g) => is(tag(t, { or: null }) === g),
 ego_r1: (t, g) => {
  const found = capital(tag(t, { last: true, lines: false }));
  return is(found && found === g.toUpperCase());
 },
 lmms_eval_2025: (t, g, safe) => {
  const found = capital(safe ? tag(t, { or: t }) : t, "D", JOINED);
  return is(found && found === g);
 },
 lmms_eval_videomme: (t, g, safe) => {
  const found = place(safe ? tag(t, { or: t }) : t);
  return is(found && found === g);
 },
 next_event: (t, g, safe) => {
  const found = capital(tag(t));
  return is(found.toLowerCase() === g.toLowerCase() && !(safe && !found));
 },
 seed_bench_r1: (t, g) => is(tag(t) && [...tag(t)][0] === [...g].slice(0, 1).join("")),
 time_r1: grounded,
 tinyllava_video_r1: (t, g) => {
  const found = tag(t, { lines: false, or: strip(t) });
  return is(found && (found === g || [...found][0] === g));
 },
 tw_grpo: (t, g) => {
  const found = letters(tag(t, { or: strip(t) })), wanted = letters(g);
  return [...found].every((x) => wanted.has(x)) ? found.size / wanted.size : 0;
 },
 veripo: (t, g) => {
  const inner = strip(tag(t).replaceAll("<answer>", "")).toLowerCase();
  const held = [..."abcdefghij"].filter((x) => inner.includes(x));
  return is(held.length === 1 && held[0] === g.toLowerCase());
 },
 viarl: (t, g) => {
  const plain = (part) => strip(part.replaceAll(".", ""));
  return is(plain(tag(t)) === plain(g));
 },
 vidbridge_r1: (t, g) => {
  if (!FORMATS.vidbridge_r1(t)) return 0;
  const start = t.indexOf("<answer>") + 8, end = t.indexOf("</answer>", start);
  return is(bridge(strip(t.slice(start, end < 0 ? undefined : end))) === bridge(g));
 },
 video_r1: (t, g) => is(tag(t) === g),
 video_rts: (t, g) => is(leading(student(t)) === leading(g)),
 videochat_r1: grounded,
 vsi_bench: (t, g, safe) => is(strip((safe ? tag(t, { or: t }) : t).split(" ")[0].replace(/\.+$/, ""))
  .toLowerCase() === g.toLowerCase()),
};
const compare = (text, gold) => {
 gold = strip(gold);
 const empty = !gold || !strip(text) || tag(text, { or: null }) === "";
 const rows = Object.entries(ACCURACY).map(([rule, score]) => ({
  rule, reward: "accuracy", safe: empty ? 0 : score(text, gold, true), published: score(text, gold, false) }));
 return rows.concat(Object.entries(FORMATS).map(([rule, score]) => ({
  rule, reward: "format", safe: score(text), published: score(text) })));
};

globalThis.vidpostRewards = { compare };
const start = () => {
 const form = document.getElementById("explorer");
 if (!form) return;
 form.hidden = false;
 form.oninput = () => {
  const { completion, gold } = form.elements;
  for (const found of compare(completion.value, gold.value)) {
   const cells = document.getElementById(`${found.reward}-${found.rule}`).cells;
   [found.safe, found.published].forEach((value, i) => {
    cells[i + 2].textContent = +value.toFixed(3);
    cells[i + 2].className = value > 0 ? "paid" : "unpaid";
   });
  }
 };
 form.oninput();
};
if (globalThis.document$) document$.subscribe(start); else start();
})();
