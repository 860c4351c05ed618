"use strict";
// The review: one item after another, the most doubtful first, with its place on the page, what was read, and what a reviewer decides.

const Review = (() => {
  const { h, plain } = Dom;
  const byId = (id) => document.getElementById(id);
  const main = byId("main"), help = byId("help"), keys = byId("keys");
  const LABELS = { accepted: "accepted", needs_figure: "needs its figure", dropped: "dropped" };
  const FILTERS = {
    all: ["all items", () => true], open: ["not looked at", (item) => !decisions.get(item.id)?.mark],
    doubtful: ["with doubts", (item) => item.doubts.length > 0], changed: ["changed", (item) => changed(item)],
    needs_figure: ["needs its figure", (item) => decisions.get(item.id)?.mark === "needs_figure"],
    dropped: ["dropped", (item) => decisions.get(item.id)?.mark === "dropped"],
  };
  const undone = [];
  const bitmaps = new Map();
  let data, decisions = new Map(), strays = [], at = 0, filter = "all", whole = false, editing = false, by = "";

  const item = () => data.items[at];
  const now = (one, field) => decisions.get(one.id)?.[field] ?? one[Rows.FIELDS[field]];
  const changed = (one) => ["statement", "gold"].some((field) => now(one, field) !== one[Rows.FIELDS[field]]);
  const say = (text) => (byId("said").textContent = text);

  /** Keep the decisions in this browser, where it lets a page. */
  function keep() {
    try {
      localStorage.setItem(data.name, JSON.stringify({ by, rows: Rows.write(data.items, decisions, strays) }));
    } catch {
      // a browser that keeps nothing: the file that is saved holds everything
    }
  }

  function recall() {
    try {
      return JSON.parse(localStorage.getItem(data.name));
    } catch {
      return null;
    }
  }

  /** Change the decision on an item; a change that can be undone. */
  function decide(one, change) {
    undone.push([one.id, decisions.get(one.id)]);
    const made = { ...decisions.get(one.id), ...change, by: by || "person" };
    for (const [field, own] of Object.entries(Rows.FIELDS)) if (made[field] === one[own]) delete made[field];
    decisions.set(one.id, made);
    keep();
  }

  function undo() {
    const last = undone.pop();
    if (!last) return say("Nothing to undo.");
    if (last[1]) decisions.set(...last);
    else decisions.delete(last[0]);
    keep();
    at = data.items.findIndex((one) => one.id === last[0]);
    say(`Undone: ${last[0]}.`);
    show();
  }

  function step(by_) {
    for (let to = at + by_; to >= 0 && to < data.items.length; to += by_) if (FILTERS[filter][1](data.items[to])) return go(to);
    say(by_ > 0 ? "This is the last item." : "This is the first item.");
    show();
  }

  function go(to) {
    at = to;
    editing = false;
    history.replaceState(null, "", `#item=${encodeURIComponent(item().id)}`);
    show();
    scrollTo(0, 0);
  }

  function mark(name) {
    decide(item(), { mark: name });
    say(`${item().id}: ${LABELS[name]}.`);
    if (name === "accepted") return step(1);
    show();
    byId("reason").focus();
    byId("reason").select();
  }

  function take() {
    if (!item().reading) return say("The transcriber has no text of this item.");
    decide(item(), { statement: item().reading, ...(item().readingKey && !item().key ? { gold: item().readingKey } : {}) });
    show();
  }

  function edit() {
    editing = true;
    show();
    byId("text").focus();
  }

  function endEdit(kept) {
    if (kept) decide(item(), { statement: byId("text").value, gold: byId("key").value });
    editing = false;
    show();
    main.focus({ preventScroll: true });
  }

  // Files

  function save() {
    const url = URL.createObjectURL(new Blob([Rows.text(Rows.write(data.items, decisions, strays))], { type: "application/yaml" }));
    h("a", { href: url, download: `${data.study}.corrections.yaml` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    say(`Saved. make review S=${data.study} FROM=the-file puts it into studies/${data.study}.yaml.`);
  }

  async function copy() {
    const text = Rows.text(Rows.write(data.items, decisions, strays));
    try {
      await navigator.clipboard.writeText(text);
      say("Copied.");
    } catch {
      main.replaceChildren(h("h1", {}, "Corrections"), h("label", {}, "Copy this into the study file", h("textarea", { id: "copied", rows: 20, readonly: true })),
        h("button", { type: "button", click: show }, "Back"));
      byId("copied").value = text;
      byId("copied").select();
    }
  }

  async function load(event) {
    const [file] = event.target.files;
    try {
      const before = decisions;
      const found = Rows.read(data.items, Rows.parse(await file.text()));
      decisions = new Map([...before, ...found.decisions]);
      const texts = new Set(strays.map((row) => JSON.stringify(row)));
      strays = [...strays, ...found.strays.filter((row) => !texts.has(JSON.stringify(row)))];
      undone.length = 0;
      keep();
      say(`${file.name}: decisions on ${found.decisions.size} items${found.strays.length ? `; ${found.strays.length} rows fit no item as it is read now: they are kept in the file` : ""}.`);
    } catch (error) {
      say(`${file.name}: ${error.message}`);
    }
    show();
  }

  // The view

  /** The item's part of its page, or the page with the item framed. */
  async function draw(canvas, one) {
    const shown = data.pages[one.picture];
    if (!bitmaps.has(one.picture)) {
      if (bitmaps.size > 8) bitmaps.delete(bitmaps.keys().next().value);
      const bytes = Uint8Array.from(atob(shown), (char) => char.charCodeAt(0));
      bitmaps.set(one.picture, createImageBitmap(new Blob([bytes], { type: "image/webp" })));
    }
    const bitmap = await bitmaps.get(one.picture);
    const [left, top, right, bottom] = one.box.map((edge) => (edge * data.dpi) / 72);
    const boxed = right > left && bottom > top;
    const margin = data.dpi / 5;
    const all = whole || !boxed;
    const [x0, x1] = all ? [0, bitmap.width] : [Math.max(0, left - margin), Math.min(bitmap.width, right + margin)];
    const [y0, y1] = all ? [0, bitmap.height] : [Math.max(0, top - margin), Math.min(bitmap.height, bottom + margin)];
    canvas.width = Math.max(1, x1 - x0);
    canvas.height = Math.max(1, y1 - y0);
    canvas.style.maxWidth = `${1.6 * canvas.width}px`;
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, -x0, -y0);
    if (all && boxed) {
      context.strokeStyle = "#0072b2";
      context.lineWidth = 2;
      context.strokeRect(Math.max(1, left - 5), top - 3, Math.min(bitmap.width - left, right - left + 10), bottom - top + 6);
    }
  }

  /** A text whose words that another has not are marked. */
  function against(text, other) {
    const [ours, theirs] = [text, other].map((each) => each.split(/(\s+)/));
    const rows = Array.from({ length: ours.length + 1 }, () => new Uint16Array(theirs.length + 1));
    for (let i = ours.length - 1; i >= 0; i--)
      for (let j = theirs.length - 1; j >= 0; j--) rows[i][j] = ours[i] === theirs[j] ? rows[i + 1][j + 1] + 1 : Math.max(rows[i + 1][j], rows[i][j + 1]);
    const parts = [];
    for (let i = 0, j = 0; i < ours.length; i++) {
      while (j < theirs.length && ours[i] !== theirs[j] && rows[i][j + 1] >= rows[i + 1][j]) j++;
      if (j < theirs.length && ours[i] === theirs[j]) parts.push(plain(theirs[j++]));
      else parts.push(ours[i].trim() ? h("mark", {}, plain(ours[i])) : ours[i]);
    }
    return parts;
  }

  const short = (text) => text.length < 4000;
  const compared = (text, other) => (short(text) && short(other) ? against(text, other) : plain(text));
  const button = (key, text, act, attributes = {}) => h("button", { type: "button", click: act, "aria-keyshortcuts": key, ...attributes }, text, " ", h("kbd", { "aria-hidden": "true" }, key));

  function texts(one) {
    const statement = now(one, "statement"), gold = now(one, "gold");
    if (editing)
      return [
        h("label", { class: "field" }, "Text", h("textarea", { id: "text", rows: 8, spellcheck: "false", dir: "auto" }, statement)),
        h("label", { class: "field" }, "Answer", h("input", { id: "key", value: gold, spellcheck: "false", autocomplete: "off", dir: "auto" })),
        h("p", {}, h("button", { type: "button", click: () => endEdit(true) }, "Keep ", h("kbd", {}, "Ctrl+Enter")), " ", h("button", { type: "button", click: () => endEdit(false) }, "Cancel ", h("kbd", {}, "Esc"))),
      ];
    const asRead = one.read ?? one.text;
    return [
      h("h2", {}, statement === one.text ? (one.read === undefined ? "Text as read" : "Text of record") : "Text, changed"),
      h("pre", { id: "statement", tabindex: "0" }, statement === one.text ? plain(statement) : compared(statement, one.text)),
      statement !== one.text && h("details", {}, h("summary", {}, "before"), h("pre", {}, plain(one.text))),
      one.read !== undefined && [h("h2", {}, "As read from the page"), h("pre", { tabindex: "0" }, compared(asRead, statement))],
      one.reading && [
        h("h2", {}, "Transcriber", !one.doubts.includes("misnumbered") && h("span", { class: "soft" }, ` similarity ${one.similarity.toFixed(2)}`)),
        h("pre", { id: "reading", tabindex: "0" }, compared(one.reading, statement)),
        one.differs.length > 0 && h("p", { class: "soft" }, "differs (− transcriber, + page): ", one.differs.map(plain).join(" ")),
        button("t", "Take its text", take),
      ],
      h("h2", {}, gold === one.key ? "Answer" : "Answer, changed"),
      h("pre", { id: "gold", tabindex: "0" }, plain(gold) || "none was found"),
      gold !== one.key && h("p", { class: "soft" }, "before: ", plain(one.key) || "none"),
      one.readingKey && one.readingKey !== gold && h("p", { class: "soft" }, "the transcriber read ", h("code", {}, plain(one.readingKey))),
    ];
  }

  function show() {
    const one = item(), made = decisions.get(one.id), looked = data.items.filter((each) => decisions.get(each.id)?.mark).length;
    const figure = one.picture >= 0
      ? h("figure", {}, h("canvas", { id: "crop", role: "img", "aria-label": `${one.source}, page ${one.page}: ${plain(now(one, "statement")).slice(0, 200)}` }),
        h("figcaption", {}, `${plain(one.source)}, page ${one.page} `, button("w", whole ? "Item alone" : "Whole page", () => ((whole = !whole), show()))))
      : h("p", { class: "soft" }, "No page of this item is here.");
    const options = Object.entries(FILTERS).map(([name, [label, test]]) => h("option", { value: name, selected: name === filter }, `${label} (${data.items.filter(test).length})`));
    const head = h("div", { class: "filters" },
      h("label", {}, "Items", h("select", { id: "filter", change: (event) => ((filter = event.target.value), FILTERS[filter][1](item()) ? show() : first()) }, options)),
      h("label", {}, "Go to", h("input", { id: "goto", list: "ids", autocomplete: "off", change: jump })),
      h("datalist", { id: "ids" }, data.items.map((each) => h("option", { value: each.id }))),
      h("label", {}, "Looked at by", h("input", { id: "by", value: by, placeholder: "your name", autocomplete: "name", change: (event) => ((by = event.target.value.trim()), keep()) })),
      button("s", "Save", save), button("c", "Copy", copy),
      h("label", { class: "file" }, "Load a saved file", h("input", { type: "file", id: "load", accept: ".yaml,.yml,.txt", change: load })));
    const acts = h("div", { class: "acts" }, button("a", "Accept", () => mark("accepted"), { class: "accept" }), button("e", "Edit", edit), button("f", "Needs its figure", () => mark("needs_figure")),
      button("d", "Drop", () => mark("dropped")), button("u", "Undo", undo, { disabled: undone.length === 0 }));
    const steps = h("nav", { class: "steps", "aria-label": "Items, the most doubtful first" }, button("p", "Previous", () => step(-1)), h("span", {}, `${at + 1} of ${data.items.length}`), button("n", "Next", () => step(1)));
    const title = h("h1", {}, one.id, made?.mark && h("span", { class: `badge ${made.mark}` }, LABELS[made.mark]), changed(one) && h("span", { class: "badge" }, "changed"));
    const doubts = h("p", { id: "doubts" }, one.doubts.length ? one.doubts.map((doubt) => h("span", { class: "doubt" }, doubt.replaceAll("_", " "))) : h("span", { class: "soft" }, "no doubts"));
    const reason = h("label", { class: "field" }, "Reason", h("input", { id: "reason", value: made?.reason ?? Rows.REASONS[made?.mark] ?? "", autocomplete: "off", change: (event) => decide(one, { reason: event.target.value.trim() }) }));
    main.replaceChildren(head, title, doubts, h("div", { class: "side" }, figure, h("div", {}, texts(one).flat(Infinity).filter(Boolean), reason, acts)), steps, extra());
    byId("bar").max = data.items.length;
    byId("bar").value = looked;
    byId("progress").textContent = `${looked} of ${data.items.length} looked at, ${data.items.filter(changed).length} changed`;
    document.title = `${one.id}: review of study ${data.study}`;
    if (one.picture >= 0) draw(byId("crop"), one).catch((error) => say(`The picture of this page cannot be shown: ${error}`));
  }

  /** What belongs to no item: texts that only the transcriber has, and rows that fit nothing. */
  function extra() {
    const parts = [
      ...data.unread.map((each) => h("li", {}, `${each.source}, page ${each.page}: ${plain(each.text)}`)),
      ...strays.map((row) => h("li", {}, h("code", {}, plain(JSON.stringify(row))))),
    ];
    return parts.length ? h("details", {}, h("summary", {}, `${data.unread.length} texts that only the transcriber has, ${strays.length} rows that fit no item as it is read now`), h("ul", {}, parts)) : "";
  }

  function first() {
    const to = data.items.findIndex(FILTERS[filter][1]);
    if (to >= 0) return go(to);
    say(`No item: ${FILTERS[filter][0]}.`);
    filter = "all";
    show();
  }

  function jump(event) {
    const to = data.items.findIndex((one) => one.id === event.target.value.trim());
    if (to < 0) return say(`No item ${event.target.value}.`);
    filter = "all";
    go(to);
  }

  const KEYS = {
    n: () => step(1), p: () => step(-1), a: () => mark("accepted"), e: edit, t: take, f: () => mark("needs_figure"), d: () => mark("dropped"), u: undo,
    w: () => ((whole = !whole), show()), s: save, c: copy, "/": () => byId("goto").focus(), "?": () => help.showModal(),
  };

  function press(event) {
    if (editing && event.key === "Escape") return endEdit(false);
    if (editing && event.key === "Enter" && (event.ctrlKey || event.metaKey)) return endEdit(true);
    if (event.key === "Escape" && event.target.id === "reason") return main.focus({ preventScroll: true });
    if (event.key === "Enter" && event.target.id === "reason") return event.target.blur();
    if (!keys.checked || help.open || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (!(event.key in KEYS)) return;
    event.preventDefault();
    KEYS[event.key]();
  }

  async function start() {
    data = await Data.unpack(byId("packed").textContent);
    byId("packed").textContent = "";
    const kept = recall();
    by = kept?.by ?? "";
    ({ decisions, strays } = Rows.read(data.items, kept?.rows ?? data.rows));
    const wanted = decodeURIComponent(location.hash.replace(/^#item=/, ""));
    at = Math.max(0, data.items.findIndex((one) => one.id === wanted));
    addEventListener("keydown", press);
    byId("help-open").addEventListener("click", () => help.showModal());
    byId("help-close").addEventListener("click", () => help.close());
    if (data.items.length) show();
    else main.textContent = "This study has no items.";
    document.body.dataset.ready = Math.round(performance.now());
  }

  start().catch((error) => {
    main.textContent = `The page could not read its data: ${error}`;
    throw error;
  });

  return { rows: () => Rows.write(data.items, decisions, strays) };
})();
