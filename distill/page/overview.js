"use strict";
// The first view: what came out, the claims as cards, accuracies, plots; and the view of where the page's data come from.

const Overview = (() => {
  const { h, link, points, figure, pValue, table, effectBar } = Dom;
  const SPLIT_NAMES = { heldout: "held out", seen: "trained on", near: "near-duplicates", all: "all asked" };
  const MARKS = { holds: "✓", reproduced: "✓", supported: "✓", fails: "✗", contradicted: "✗", inconclusive: "?", "by construction": "=", "not run": "–" };

  const verdict = (record) => h("span", { class: `verdict ${record.verdict.replaceAll(" ", "-")}` }, `${MARKS[record.verdict] ?? ""} ${record.verdict}`);

  function view(data) {
    return [
      h("h1", {}, `What came of study ${data.study}`),
      lead(data),
      h("section", { "aria-labelledby": "claims-title" }, h("h2", { id: "claims-title" }, "Claims"), recompute(data), h("ul", { class: "cards" }, data.claims.map(card))),
      h("section", { "aria-labelledby": "accuracy-title" }, h("h2", { id: "accuracy-title" }, "Accuracy"), accuracies(data)),
      Studies.likelihood(data),
      changes(data),
      plots(data),
      Studies.multiverse(data),
      Studies.drops(data),
      data.limits.length > 0 && h("section", { "aria-labelledby": "limits-title" }, h("h2", { id: "limits-title" }, "Limits"), h("ul", {}, data.limits.map((text) => h("li", {}, text)))),
    ];
  }

  function lead(data) {
    const counts = Object.entries(data.metrics.headline?.claims ?? {}).map(([name, count]) => `${name} ${count}`).join(", ");
    const gain = data.claims.find((claim) => claim.rule.kind === "above" && claim.rule.comparator === "base" && claim.ledger.effect !== null);
    const found = gain?.ledger;
    return h("div", { class: "lead" },
      found && h("p", { class: "result" }, `${gain.rule.arm} against ${gain.rule.comparator} on ${gain.rule.benchmark}${gain.rule.split === "all" ? "" : `, ${SPLIT_NAMES[gain.rule.split]}`}: `,
        h("strong", {}, `${points(found.effect)} points`), ` (${100 * data.tests.confidence} % interval ${points(found.low)} to ${points(found.high)}, ${found.n} problem clusters).`),
      h("p", {}, `${data.claims.length} claims: ${counts}. ${data.answerCount.toLocaleString("en")} answers to ${data.problems.length.toLocaleString("en")} problems, by ${data.cells.length} students: `
        + `${data.armNames.join(", ")}. Every figure on this page is read from the run's metrics, or computed here from its verdicts.`),
      h("dl", { class: "arms" }, Object.entries(data.arms).filter(([name]) => data.armNames.includes(name)).slice(0, 12).map(([name, arm]) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, `trained at level ${arm.level}${arm.n ? `, ${arm.n} examples` : ""}`)))));
  }

  function card(claim) {
    const { ledger } = claim;
    return h("li", { class: "card" },
      h("h3", {}, link("claim", { claim: claim.name }, claim.name.replaceAll("_", " "))), verdict(ledger),
      h("p", {}, `The paper says: ${claim.says}.`), claim.reason_text && h("p", {}, `Found here: ${claim.reason_text}.`), effectBar(ledger),
      h("p", { class: "figures" }, ledger.effect !== null && `effect ${figure(ledger.effect)}`, ledger.low !== null && ` [${figure(ledger.low)}, ${figure(ledger.high)}]`,
        ledger.p_holm !== null && `, p ${pValue(ledger.p_holm)} (Holm)`, ledger.n !== null && `, n ${ledger.n.toLocaleString("en")}`));
  }

  /** The button that computes everything again, and what came of it. */
  function recompute(data) {
    const status = h("p", { role: "status", id: "recomputed" });
    const list = h("div");
    const button = h("button", { type: "button", id: "recompute", click: async () => {
      button.disabled = true;
      const results = await Claims.computeAll(data, (done, of) => (status.textContent = `computed ${done} of ${of}…`));
      const differ = results.filter((row) => !row.equal);
      const skipped = data.claims.filter((claim) => Rules.notHere(claim)).length;
      status.textContent = `${results.length} figures computed again in this browser: ${differ.length ? `${differ.length} differ from the ledger` : "all equal to the ledger"}`
        + `${skipped ? `; ${skipped} claims rest on more than this page holds` : ""}.`;
      list.replaceChildren(h("details", { open: differ.length > 0 }, h("summary", {}, "Every figure"), table({
        caption: "Figures computed here beside the ledger's", rows: results, most: results.length, columns: [
          { label: "of", value: (row) => row.of }, { label: "figure", value: (row) => row.name }, { label: "ledger", numeric: true, value: (row) => row.ledger, cell: (row) => exact(row.ledger) },
          { label: "here", numeric: true, value: (row) => row.here, cell: (row) => exact(row.here) }, { label: "equal?", value: (row) => (row.equal ? "equal" : "differs") },
        ] })));
      button.disabled = false;
    } }, "Compute all again in this browser");
    return h("div", { class: "recompute" }, button, status, list);
  }

  const exact = (value) => (value === null ? "" : Number.isInteger(value) ? String(value) : value.toFixed(9));

  function accuracies(data) {
    const arms = data.metrics.summary.arms;
    const columns = [...new Set(Object.values(arms).flatMap((arm) => Object.keys(arm).filter((key) => typeof arm[key] === "object")))]
      .sort((a, b) => (b === data.own) - (a === data.own) || (a < b ? -1 : 1))
      .flatMap((benchmark) => ["heldout", "seen", "near", "all"].filter((split) => Object.values(arms).some((arm) => arm[benchmark]?.[split])).map((split) => ({ benchmark, split })));
    const cell = (arm, { benchmark, split }) => arms[arm]?.[benchmark]?.[split];
    const shown = columns.filter(({ benchmark, split }) => split !== "all" || benchmark !== data.own || columns.length === 1);
    return table({
      caption: `Accuracy in % [${100 * data.intervals.confidence} % interval], mean over seeds; n problems`, sort: null, rows: data.armNames.filter((arm) => arms[arm]), columns: [
        { label: "arm", value: (arm) => arm },
        ...shown.map((where) => ({
          label: where.benchmark === data.own ? SPLIT_NAMES[where.split] : where.benchmark, numeric: true, value: (arm) => cell(arm, where)?.accuracy ?? null,
          cell: (arm) => { const at = cell(arm, where); return at ? `${(100 * at.accuracy).toFixed(1)} [${(100 * at.low).toFixed(1)}, ${(100 * at.high).toFixed(1)}] n ${at.n}` : ""; },
        })),
        { label: "words", numeric: true, value: (arm) => arms[arm].words ?? null, cell: (arm) => arms[arm].words?.toFixed(1) ?? "" },
      ],
    });
  }

  /** Where to look first: what distillation fixed, and what it broke. */
  function changes(data) {
    const arms = data.armNames.filter((arm) => arm !== "base");
    if (!data.armNames.includes("base") || !arms.length) return null;
    const rows = arms.map((arm) => [arm, ...["fixed", "broken"].map((change) => Problems.count(data, { arm, change }))]);
    return h("section", { "aria-labelledby": "changes-title" }, h("h2", { id: "changes-title" }, "What distillation changed"),
      table({ caption: "Problems that the base mostly missed and the arm mostly solves (fixed), and the other way round (broken)", rows, columns: [
        { label: "arm", value: (row) => row[0] },
        ...["fixed", "broken"].map((change, i) => ({ label: change, numeric: true, value: (row) => row[i + 1], cell: (row) => link("problems", { arm: row[0], change }, `${row[i + 1]} ${change}`) })),
      ] }));
  }

  /** The report's plots, each drawn when it comes into sight. */
  function plots(data) {
    if (!data.plots.length) return null;
    const sight = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
      sight.unobserve(target);
      drawPlot(data.plots.find((plot) => plot.name === target.dataset.plot).spec, target);
    }), { rootMargin: "300px" });
    const figures = data.plots.map((plot) => {
      const drawing = h("div", { class: "plot", role: "img", "aria-label": `${plot.heading}. ${plot.caption}`, "data-plot": plot.name });
      sight.observe(drawing);
      return h("figure", {}, h("h3", {}, plot.heading), drawing, h("figcaption", {}, `${plot.caption} (${plot.table})`));
    });
    return h("section", { "aria-labelledby": "plots-title" }, h("h2", { id: "plots-title" }, "Plots"), figures);
  }

  /** Draw a Vega-Lite plot without evaluating code (`ast`) and without styles of its own, as the page's policy asks; 1: errors alone are logged. */
  function drawPlot({ $schema, ...spec }, target) {
    const inner = h("div", { "aria-hidden": "true" }); // the figure around it says what it shows
    target.replaceChildren(inner);
    return window.vegaEmbed(inner, structuredClone(spec), { mode: "vega-lite", logLevel: 1, actions: false, ast: true, renderer: "svg", defaultStyle: false, tooltip: { disableDefaultStyle: true } });
  }

  return { view, verdict, exact, SPLIT_NAMES };
})();
