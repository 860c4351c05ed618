"use strict";
// What a reviewer decided, as the rows of a study's section `corrections` and back: distill/extraction/corrections.py reads the same rows.

const Rows = (() => {
  const FIELDS = { statement: "text", gold: "key" };
  const MARKS = ["accepted", "needs_figure", "dropped"];
  const REASONS = { accepted: "as printed", needs_figure: "it needs its figure", dropped: "no usable problem" };
  const times = (text, piece) => text.split(piece).length - 1;

  /** The shortest run of whole words that changes, and that occurs once in the text before. */
  function piece(before, after) {
    if (!before) return { from: "", to: after };
    const least = Math.min(before.length, after.length);
    let left = 0, tail = 0;
    while (left < least && before[left] === after[left]) left++;
    while (tail < least - left && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
    let right = before.length - tail;
    const word = (at) => at > 0 && at < before.length && !/\s/.test(before[at - 1]);
    while (left > 0 && word(left)) left--;
    while (right < before.length && !/\s/.test(before[right])) right++;
    while (left === right || times(before, before.slice(left, right)) !== 1) {
      if (left > 0) do left--; while (left > 0 && word(left));
      else if (right < before.length) do right++; while (right < before.length && !/\s/.test(before[right]));
      else break;
    }
    return { from: before.slice(left, right), to: after.slice(left, after.length - (before.length - right)) };
  }

  /** The rows of all decisions: changes in the order of the items, then marks with equal reasons and reviewers together. */
  function write(items, decisions, strays) {
    const rows = [...strays], marks = new Map();
    for (const item of items) {
      const made = decisions.get(item.id);
      if (!made) continue;
      for (const [field, own] of Object.entries(FIELDS)) {
        if (made[field] === undefined || made[field] === item[own]) continue;
        const { from, to } = piece(item[own], made[field]);
        rows.push({ item: item.id, field, from, to, page: item.page, reason: made.reason || "as printed", by: made.by });
      }
      if (!made.mark) continue;
      const reason = made.reason || REASONS[made.mark];
      const key = JSON.stringify([made.mark, reason, made.by]);
      if (!marks.has(key)) marks.set(key, { items: [], mark: made.mark, reason, by: made.by });
      marks.get(key).items.push(item.id);
    }
    return [...rows, ...marks.values()];
  }

  /** The decisions that rows say, and the rows that fit no item here: they are kept as they are. */
  function read(items, rows) {
    const known = new Map(items.map((item) => [item.id, item])), decisions = new Map(), strays = [];
    const at = (id) => decisions.get(id) ?? decisions.set(id, {}).get(id);
    for (const row of rows) {
      if (MARKS.includes(row.mark) && Array.isArray(row.items)) {
        const here = row.items.filter((id) => known.has(id));
        for (const id of here) Object.assign(at(id), { mark: row.mark, by: row.by }, row.reason === REASONS[row.mark] ? {} : { reason: row.reason });
        if (here.length < row.items.length) strays.push({ ...row, items: row.items.filter((id) => !known.has(id)) });
        continue;
      }
      const own = FIELDS[row.field], item = known.get(row.item);
      const text = item && own && (decisions.get(item.id)?.[row.field] ?? item[own]);
      const fits = row.by && typeof text === "string" && (row.from ? times(text, row.from) === 1 : text === "");
      if (!fits) strays.push(row);
      else Object.assign(at(item.id), { [row.field]: row.from ? text.replace(row.from, () => row.to) : row.to, by: row.by }, row.reason === "as printed" ? {} : { reason: row.reason });
    }
    return { decisions, strays };
  }

  /** A row as JSON that is YAML too: what YAML takes for a line break, or does not take at all, is escaped. */
  const line = (row) => JSON.stringify(row).replace(/[\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);

  /** The file of rows: the section `corrections`. */
  const text = (rows) => (rows.length ? `corrections:\n${rows.map((row) => `  - ${line(row)}\n`).join("")}` : "corrections: []\n");

  /** The rows of such a file; an error names the line. */
  function parse(file) {
    const rows = [];
    file.split(/\r?\n/).forEach((row, i) => {
      if (/^\s*(#.*)?$|^corrections:\s*(\[\])?\s*$/.test(row)) return;
      const found = /^\s*- (\{.*\})\s*$/.exec(row);
      try {
        rows.push(JSON.parse(found[1]));
      } catch {
        throw new Error(`line ${i + 1} is no row of a file that this page saved; rows written by hand go into the study file, and \`make review\` shows them`);
      }
    });
    return rows;
  }

  return { MARKS, FIELDS, REASONS, piece, write, read, text, parse };
})();
