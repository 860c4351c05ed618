"use strict";
// Elements. A text of a student, a paper or a study only ever becomes a text node: nothing here parses HTML.

const Dom = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  /** Make an element; attributes that are false or null are left out, functions listen to events, children are nodes or texts. */
  function h(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
  }

  const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

  function fill(element, attributes, children) {
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === "function") element.addEventListener(key, value);
      else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
    return element;
  }

  const percent = (value) => (value === null || value === undefined ? "" : `${(100 * value).toFixed(1)} %`);
  const points = (value) => (value === null || value === undefined ? "" : `${value >= 0 ? "+" : "−"}${Math.abs(100 * value).toFixed(1)}`);
  const figure = (value) => (value === null || value === undefined ? "" : (value < 0 ? "−" : "") + Math.abs(value).toFixed(4));
  const pValue = (p) => (p === null || p === undefined ? "" : p < 0.0001 ? "< 0.0001" : p.toFixed(4));
  const any = (value) => (typeof value !== "number" ? value ?? "" : Number.isInteger(value) ? value.toLocaleString("en") : figure(value));

  /** A text with what steers direction or a terminal made visible: it could hide what the text says. */
  const plain = (text) => text.replace(/[^\P{C}\n\t]/gu, (char) => `⟨U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

  /** A text in pieces, of which some are MathML. */
  function pieces(list) {
    return list.map((piece) => {
      if (typeof piece === "string") return plain(piece);
      const parsed = new DOMParser().parseFromString(piece.math, "application/xml").documentElement;
      return parsed.localName === "math" ? document.importNode(parsed, true) : plain(piece.text);
    });
  }

  const link = (view, values, text, attributes = {}) => h("a", { href: `#${hash(view, values)}`, ...attributes }, text);

  /** The hash of a view: problem=2015-fs-07&arm=r1, or the view's name and its values. */
  function hash(view, values = {}) {
    const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    const rest = given.map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
    return given.some(([key]) => key === view) ? rest.join("&") : [view, ...rest].join("&");
  }

  /** A table whose columns sort: {label, value(row), cell(row), numeric}; rows beyond `most` follow at a button. */
  function table({ caption, columns, rows, most = 100, sort = null, id = null }) {
    const body = h("tbody");
    const more = h("button", { type: "button", class: "more", click: () => draw(rows.length) });
    let shown = rows;
    function order(at, down) {
      const value = columns[at].value;
      const collate = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
      const empty = (x) => x === null || x === undefined || x === "";
      shown = [...rows].sort((a, b) => empty(value(a)) - empty(value(b)) || (down ? -1 : 1) * collate(value(a), value(b)));
      heads.forEach((head, i) => (i === at ? head.setAttribute("aria-sort", down ? "descending" : "ascending") : head.removeAttribute("aria-sort")));
    }
    function draw(count) {
      body.replaceChildren(...shown.slice(0, count).map((row) => h("tr", {}, columns.map((column, i) => {
        const content = column.cell ? column.cell(row) : any(column.value(row));
        return h(i ? "td" : "th", { scope: i ? null : "row", class: column.numeric ? "number" : null }, content);
      }))));
      more.textContent = `Show all ${rows.length.toLocaleString("en")} rows`;
      more.hidden = count >= rows.length;
    }
    const heads = columns.map((column, i) => h("th", { scope: "col", class: column.numeric ? "number" : null }, h("button", {
      type: "button",
      click: () => {
        const was = heads[i].getAttribute("aria-sort");
        order(i, was ? was === "ascending" : Boolean(column.numeric));
        draw(most);
      },
    }, column.label)));
    if (sort) order(sort.at, sort.down);
    draw(most);
    const element = h("table", { id }, h("caption", {}, caption), h("thead", {}, h("tr", {}, heads)), body);
    return h("div", { class: "table", role: "region", "aria-label": caption, tabindex: "0" }, element, more);
  }

  /** A table of texts and figures as they are, or as a column's format shows them. */
  const simple = (caption, head, rows, as = []) => table({ caption, rows, most: rows.length, columns: head.map((label, i) => ({ label, numeric: rows.every((row) => typeof row[i] !== "string") && i > 0, value: (row) => row[i], cell: (row) => FORMATS[as[i] ?? "any"](row[i]) })) });
  const FORMATS = { any, percent, points, figure, pValue };

  /** An effect and its interval on a line, against zero and the paper's figure. */
  function effectBar(claim) {
    const { effect, low, high, published, ours } = claim.ledger;
    if (effect === null || effect === undefined) return null;
    const shown = (value) => Describe.effectOf(claim, value);
    const comparable = ours === effect && published !== null;
    const values = [0, effect, low, high, comparable ? published : null].filter((value) => value !== null);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const x = (value) => 10 + (280 * (value - least)) / (most - least || 1);
    const says = `effect ${shown(effect)}${low === null ? "" : `, interval ${shown(low)} to ${shown(high)}`}${comparable ? `, the paper ${shown(published)}` : ""}`;
    return svg("svg", { class: "effect", viewBox: "0 0 300 44", role: "img", "aria-label": says },
      svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 2, y2: 30 }),
      low !== null && svg("line", { class: "interval", x1: x(low), x2: x(high), y1: 16, y2: 16 }),
      comparable && svg("path", { class: "paper", d: `M${x(published)} 9l6 7-6 7-6-7z` }),
      svg("circle", { class: "point", cx: x(effect), cy: 16, r: 5 }),
      svg("text", { x: x(0), y: 42, "text-anchor": x(0) < 40 ? "start" : x(0) > 260 ? "end" : "middle" }, "0"),
      Math.abs(x(effect) - x(0)) > 40 && svg("text", { x: x(effect), y: 42, "text-anchor": x(effect) < 40 ? "start" : x(effect) > 260 ? "end" : "middle" }, shown(effect)));
  }

  return { h, svg, percent, points, figure, pValue, any, plain, pieces, link, hash, table, simple, effectBar };
})();
