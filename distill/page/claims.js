"use strict";
// The claims: a list, and one claim with its rule, its test, the problems that decide it, and its figures computed again.

const Claims = (() => {
  const { h, link, figure, pValue, points, percent, table, any, effectBar } = Dom;
  const computed = new Map(); // by claim: computing it twice gives the same

  function list(data) {
    return [
      h("h1", {}, "Claims"),
      table({ caption: `Claims; p by Holm's correction, at alpha ${data.tests.alpha}`, rows: data.claims, columns: [
        { label: "claim", value: (c) => c.name, cell: (c) => link("claim", { claim: c.name }, c.name) },
        { label: "verdict", value: (c) => c.ledger.verdict, cell: (c) => Overview.verdict(c.ledger) },
        { label: "paper", numeric: true, value: (c) => c.published, cell: (c) => figure(c.published) },
        { label: "ours", numeric: true, value: (c) => c.ledger.ours, cell: (c) => figure(c.ledger.ours) },
        { label: "effect", numeric: true, value: (c) => c.ledger.effect, cell: (c) => figure(c.ledger.effect) + (c.ledger.low === null ? "" : ` [${figure(c.ledger.low)}, ${figure(c.ledger.high)}]`) },
        { label: "p (Holm)", numeric: true, value: (c) => c.ledger.p_holm, cell: (c) => pValue(c.ledger.p_holm) },
        { label: "n", numeric: true, value: (c) => c.ledger.n, cell: (c) => any(c.ledger.n) },
      ] }),
    ];
  }

  function view(data, { claim: name }) {
    const claim = data.claims.find((each) => each.name === name);
    if (!claim) return [h("h1", {}, "No such claim"), h("p", {}, `There is no claim ${name} in this study. `, link("claims", {}, "All claims"))];
    const { ledger } = claim;
    const facts = {
      "the paper says": `${claim.says} (${claim.source})`, found: claim.reason_text, rule: claim.rule_text, "by construction": claim.by_construction, note: claim.note,
      test: ledger.p === null ? "" : `p ${pValue(ledger.p)}, by Holm's correction ${pValue(ledger.p_holm)}; alpha ${data.tests.alpha}, two-sided`,
      basis: ledger.basis, n: ledger.n === null ? "" : `${any(ledger.n)} ${claim.rule.kind === "spread_small" ? "seeds" : "independent problems (clusters of duplicates count once)"}`,
      power: [ledger.detectable && `an effect of ${figure(ledger.detectable)} would be seen`, ledger.deciding && `the effect seen needs about ${any(ledger.deciding)}`].filter(Boolean).join("; "),
    };
    const stable = data.metrics.multiverse?.claims?.[name];
    if (stable?.choices > 1) facts["under other choices"] = `the same verdict under ${stable.same} of ${stable.choices} that apply`;
    const place = data.claims.indexOf(claim);
    const area = h("div", { id: "claim-computed" });
    const status = h("p", { role: "status" });
    const why = Rules.notHere(claim);
    const button = h("button", { type: "button", id: "recompute-claim", click: () => compute(data, claim, area, status, button) }, "Compute it again here");
    queueMicrotask(() => !why && compute(data, claim, area, status, button));
    return [
      h("nav", { class: "steps", "aria-label": "Claims" }, step(data.claims[place - 1], "prev", "← "), step(data.claims[place + 1], "next", "", " →")),
      h("h1", {}, name.replaceAll("_", " ")), h("p", {}, Overview.verdict(ledger)), effectBar(ledger),
      h("dl", { class: "facts" }, Object.entries(facts).filter(([, text]) => text).map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text)))),
      h("section", { "aria-labelledby": "here-title" }, h("h2", { id: "here-title" }, "Computed again in this browser"),
        why ? h("p", {}, `Not computed here: ${why}.`) : [button, status], area),
    ];
  }

  const step = (claim, rel, before = "", after = "") => claim && link("claim", { claim: claim.name }, before + claim.name.replaceAll("_", " ") + after, { rel });

  async function compute(data, claim, area, status, button) {
    button.disabled = true;
    status.textContent = "computing…";
    const result = await measured(data, claim);
    const rows = Rules.compare(result.figures, claim.ledger);
    const equal = rows.every(([, , , same]) => same);
    status.textContent = equal ? "Equal to the ledger." : "Differs from the ledger.";
    status.className = equal ? "equal" : "differs";
    area.replaceChildren(...[
      table({ caption: "Figures", rows, columns: [
        { label: "figure", value: (row) => row[0] }, { label: "ledger", numeric: true, value: (row) => row[1], cell: (row) => Overview.exact(row[1]) },
        { label: "here", numeric: true, value: (row) => row[2], cell: (row) => Overview.exact(row[2]) }, { label: "equal?", value: (row) => (row[3] ? "equal" : "differs") },
      ] }),
      ...(result.tables ?? []).map(({ caption, head, rows: body }) => Dom.simple(caption, head, body)),
      result.units && deciding(data, claim, result),
    ].filter(Boolean));
    button.disabled = false;
  }

  async function measured(data, claim) {
    if (!computed.has(claim.name)) computed.set(claim.name, await Rules.measure(data, claim));
    return computed.get(claim.name);
  }

  /** The problems by their share in the effect. */
  function deciding(data, claim, { units, arms }) {
    const [up, down] = [units.filter((unit) => unit.value > 0).length, units.filter((unit) => unit.value < 0).length];
    const of = (unit) => data.problems[unit.place];
    return h("div", {}, h("h3", {}, "The problems that decide it"),
      h("p", {}, `${up} problems raise the effect, ${down} lower it, ${units.length - up - down} do neither.`),
      table({ caption: "Each problem's share; sort by it to see what speaks for and against", rows: units, most: 20, sort: { at: 2, down: true }, columns: [
        { label: "problem", value: (unit) => of(unit).id, cell: (unit) => link("problem", { problem: of(unit).id, in: of(unit).benchmark }, of(unit).id) },
        { label: "statement", value: (unit) => of(unit).statement, cell: (unit) => h("span", { class: "statement" }, Dom.pieces(of(unit).pieces)) },
        { label: claim.rule.kind === "falls" ? "slope" : "difference", numeric: true, value: (unit) => unit.value, cell: (unit) => points(unit.value) },
        ...arms.map((arm, i) => ({ label: arm, numeric: true, value: (unit) => unit.values[i], cell: (unit) => percent(unit.values[i]) })),
      ] }));
  }

  /** Compute every claim and every accuracy that the overview shows; return the figures beside the ledger's. */
  async function computeAll(data, progress) {
    const claims = data.claims.filter((claim) => !Rules.notHere(claim));
    const lines = Object.entries(data.metrics.summary.arms).flatMap(([arm, values]) => Object.entries(values).filter(([, value]) => typeof value === "object")
      .flatMap(([benchmark, splits]) => ["heldout", "seen", "near", "all"].filter((split) => splits[split]).map((split) => [arm, benchmark, split, splits[split]])));
    const rows = [];
    const p = {};
    let done = 0;
    for (const claim of claims) {
      const { figures } = await measured(data, claim);
      if (figures.p !== undefined) p[claim.name] = figures.p;
      add(rows, `claim ${claim.name}`, Rules.compare(figures, claim.ledger));
      progress(++done, claims.length + lines.length);
    }
    const family = data.claims.filter((claim) => claim.ledger.p !== null && claim.ledger.basis !== "printed counts");
    if (family.every((claim) => claim.name in p)) {
      for (const [name, value] of Object.entries(Stats.holm(p))) add(rows, `claim ${name}`, Rules.compare({ p_holm: value }, data.claims.find((claim) => claim.name === name).ledger));
    }
    for (const [arm, benchmark, split, line] of lines) {
      add(rows, `accuracy of ${arm}, ${benchmark}, ${split}`, Rules.compare(await Rules.accuracyOf(data, arm, benchmark, split), line));
      progress(++done, claims.length + lines.length);
    }
    return rows;
  }

  const add = (rows, of, compared) => rows.push(...compared.map(([name, ledger, here, equal]) => ({ of, name, ledger, here, equal })));

  return { list, view, computeAll };
})();
