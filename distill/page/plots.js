"use strict";
// The report's plots: Vega starts once, after the first view, and draws them one by one, so that a print or a picture of the page has all.

const Plots = (() => {
  const { h } = Dom;
  let vega = null; // a promise of the function that draws, once the page has unpacked it

  /** Run the packed Vega: an element of our making, whose text the page's policy names by hash. */
  function start() {
    vega ??= Data.inflate(document.getElementById("packed-vega").textContent).text().then((text) => {
      const script = document.createElement("script");
      script.textContent = text;
      document.head.append(script);
    });
    return vega;
  }

  function view(data) {
    if (!data.plots.length) return null;
    return h("section", { "aria-labelledby": "plots-title" }, h("h2", { id: "plots-title" }, "Plots"), data.plots.map((plot) =>
      h("figure", { id: `plot-${plot.name}` }, h("h3", {}, plot.heading), h("div", { class: "plot", role: "img", "aria-label": `${plot.heading}. ${plot.caption}`, "data-plot": plot.name }),
        h("figcaption", {}, `${plot.caption} ${plot.name === "multiverse" ? effectUnits(data) : ""} (${plot.table})`))));
  }

  /** The units of the effects that one plot shows of many claims. */
  function effectUnits(data) {
    const units = new Map();
    for (const claim of data.claims.filter(({ ledger }) => ledger.effect !== null)) {
      const unit = Describe.raw(claim, "effect");
      units.set(unit, [...(units.get(unit) ?? []), claim.name]);
    }
    const [most, ...others] = [...units].sort(([, a], [, b]) => b.length - a.length);
    return `Effects are not scaled; a share of 0.1 is 10 points. Unit: ${most[0]}${others.map(([unit, names]) => `; of ${names.join(", ")}: ${unit}`).join("")}.`;
  }

  const waiting = () => [...document.querySelectorAll(".plot:empty")];

  /** Draw every plot of the view, each in a turn of its own; the body says when all are drawn. */
  async function draw(data) {
    delete document.body.dataset.drawn;
    await start();
    for (let [target] = waiting(); target; [target] = waiting()) {
      await drawOne(data, target);
      await new Promise((done) => setTimeout(done));
    }
    document.body.dataset.drawn = document.querySelectorAll(".plot").length;
  }

  /** Draw what is left at once: a print does not wait. */
  function drawNow(data) {
    if (window.vegaEmbed) waiting().forEach((target) => drawOne(data, target));
  }

  /** Draw a Vega-Lite plot without evaluating code (`ast`) and without styles of its own, as the page's policy asks; 1: errors alone are logged. */
  function drawOne(data, target) {
    const { $schema, ...spec } = data.plots.find((plot) => plot.name === target.dataset.plot).spec;
    const inner = h("div", { "aria-hidden": "true" }); // the figure around it says what it shows
    target.replaceChildren(inner);
    return window.vegaEmbed(inner, structuredClone(spec), { mode: "vega-lite", logLevel: 1, actions: false, ast: true, renderer: "svg", defaultStyle: false, tooltip: { disableDefaultStyle: true } });
  }

  return { view, draw, drawNow };
})();
