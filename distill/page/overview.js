"use strict";
// The first view: what came out, the claims as cards, accuracies, plots; and the view of where the page's data come from.

const Overview = (() => {
  const { h, link, points, pValue, table, effectBar } = Dom;
  const SPLIT_NAMES = { heldout: "held out", seen: "trained on", near: "near-duplicates", valid: "validation", all: "all asked" };
  const MARKS = { holds: "✓", reproduced: "✓", supported: "✓", fails: "✗", contradicted: "✗", inconclusive: "?", "by construction": "=", "not run": "–" };

  const verdict = (record) => h("span", { class: `verdict ${record.verdict.replaceAll(" ", "-")}` }, `${MARKS[record.verdict] ?? ""} ${record.verdict}`);

  function view(data) {
    return [
      h("h1", {}, `What came of study ${data.study}`),
      lead(data),
      h("section", { "aria-labelledby": "claims-title" }, h("h2", { id: "claims-title" }, "Claims"), recompute(data),
        h("p", { class: "figures" }, Glossary.linked(`● the effect, bar: its ${100 * data.tests.confidence} % interval, ◇ the paper's figure where it is the same measure, dashed: no effect. p is by Holm's correction. ⚠ marks a verdict that another defensible choice of analysis changes.`)),
        h("ul", { class: "cards" }, data.claims.map((claim) => card(data, claim)))),
      h("section", { "aria-labelledby": "accuracy-title" }, h("h2", { id: "accuracy-title" }, "Accuracy"), ownProblems(data), accuracies(data)),
      Studies.likelihood(data),
      changes(data),
      Plots.view(data),
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
      h("p", {}, Glossary.linked("The words of this page (arm, seed, cluster, held out, verdict, p and others) "), Glossary.term("arm", "are explained here"), "."),
      h("dl", { class: "arms" }, Object.entries(data.arms).filter(([name]) => data.armNames.includes(name)).slice(0, 12).map(([name, arm]) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, `trained at level ${arm.level}${arm.n ? `, ${arm.n} examples` : ""}`)))));
  }

  /** Whether a verdict depends on choices of the analysis. */
  function flips(data, claim) {
    const stable = Describe.stability(data, claim);
    if (!stable || stable.same === stable.choices) return null;
    return h("span", { class: "flip" }, `⚠ ${claim.ledger.verdict} in ${stable.same} of ${stable.choices} `, link("overview", { at: "plot-multiverse" }, "choices"));
  }

  function card(data, claim) {
    const { ledger } = claim;
    return h("li", { class: "card" },
      h("h3", {}, link("claim", { claim: claim.name }, claim.name.replaceAll("_", " "))), h("p", {}, verdict(ledger), " ", flips(data, claim)),
      h("p", {}, `The paper says: ${claim.says}.`), claim.reason_text && h("p", {}, `Found here: ${claim.reason_text}.`), effectBar(claim),
      h("p", { class: "figures" }, ledger.effect !== null && `effect ${Describe.effect(claim)}`, ledger.p_holm !== null && `, p ${pValue(ledger.p_holm)} (Holm)`),
      h("p", { class: "figures test" }, Describe.test(data, claim)));
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
        caption: "Figures computed here beside the ledger's, not scaled: a share of 0.175 is 17.5 points", rows: results, most: results.length, columns: [
          { label: "of", value: (row) => row.of }, { label: "figure", value: (row) => row.name }, { label: "ledger", numeric: true, value: (row) => row.ledger, cell: (row) => exact(row.ledger) },
          { label: "here", numeric: true, value: (row) => row.here, cell: (row) => exact(row.here) }, { label: "equal?", value: (row) => (row.equal ? "equal" : "differs") },
        ] })));
      button.disabled = false;
    } }, "Compute all again in this browser");
    return h("div", { class: "recompute" }, button, status, list);
  }

  const exact = (value) => (value === null ? "" : Number.isInteger(value) ? String(value) : value.toFixed(9));

  /** Why n differs between the arms of a column, and from a claim's. */
  function ownProblems(data) {
    const counts = new Set(Object.values(data.metrics.summary.arms).map((arm) => arm[data.own]?.heldout?.n).filter(Boolean));
    return counts.size > 1 && h("p", {}, Glossary.linked("n differs between arms: held out, near-duplicate and trained on are by each arm's own corpus, and for the base by the study's split. "
      + "A claim compares arms on the problems that all of them have, so that its accuracies may differ from these in the last digits; each claim says which problems it leaves out."));
  }

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

  /** Where to look first: what distillation fixed, and what it broke, apart by the set that the problems are of. */
  function changes(data) {
    const arms = data.armNames.filter((arm) => arm !== "base");
    if (!data.armNames.includes("base") || !arms.length) return null;
    const sets = [
      ...["heldout", "seen", "near", "valid"].map((role) => ({ name: SPLIT_NAMES[role], values: { benchmark: data.own, role } })),
      ...new Set(data.problems.map((problem) => problem.benchmark).filter((name) => name !== data.own)),
    ].map((set) => (typeof set === "string" ? { name: set, values: { benchmark: set } } : set));
    const rows = arms.flatMap((arm) => sets.map(({ name, values }) => {
      const asked = { arm, with: "base", ...values };
      return { arm, set: name, asked, n: Problems.count(data, asked), fixed: Problems.count(data, { ...asked, change: "fixed" }), broken: Problems.count(data, { ...asked, change: "broken" }) };
    })).filter((row) => row.n > 0);
    const cell = (change) => (row) => link("problems", { ...row.asked, change }, `${row[change]} ${change}`);
    return h("section", { "aria-labelledby": "changes-title" }, h("h2", { id: "changes-title" }, "What distillation changed"),
      h("p", {}, Glossary.linked("Fixed: less than half of the base's answers to the problem are right, and more than half of the arm's. Broken: the other way round. Each set by itself: what became of held out problems is no matter of memory.")),
      table({ caption: "Problems fixed and broken, by arm and set", rows, columns: [
        { label: "arm", value: (row) => row.arm }, { label: "set", value: (row) => row.set }, { label: "problems", numeric: true, value: (row) => row.n },
        ...["fixed", "broken"].map((change) => ({ label: change, numeric: true, value: (row) => row[change], cell: cell(change) })),
      ] }));
  }

  return { view, verdict, exact, flips, SPLIT_NAMES };
})();
