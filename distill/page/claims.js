"use strict";
// The claims: a list, and one claim with its rule, its test, the problems that decide it, and its figures computed again.

const Claims = (() => {
  const { h, link, figure, pValue, points, percent, table, any } = Dom;
  const computed = new Map(); // by claim: computing it twice gives the same

  function list(data) {
    return [
      h("h1", {}, "Claims"),
      h("p", {}, Glossary.linked(`Each claim's rule and test were fixed in the study file before the run. All tests are two-sided; p is by Holm's correction over the family, at alpha ${data.tests.alpha}; in brackets the ${100 * data.tests.confidence} % interval. A test counts problem clusters, or what it says, on the problems that all its arms have, so that its number may be less than the n of an accuracy.`)),
      table({ caption: "Claims, their figures with units, and their tests", rows: data.claims, columns: [
        { label: "claim", value: (c) => c.name, cell: (c) => link("claim", { claim: c.name }, c.name) },
        { label: "verdict", value: (c) => c.ledger.verdict, cell: (c) => [Overview.verdict(c.ledger), Overview.flips(data, c)] },
        { label: "effect [interval]", value: (c) => c.ledger.effect, cell: (c) => h("span", { class: "whole" }, Describe.effect(c)) },
        { label: "p (Holm)", numeric: true, value: (c) => c.ledger.p_holm, cell: (c) => pValue(c.ledger.p_holm) },
        { label: "test", value: (c) => Describe.test(data, c), cell: (c) => h("span", { class: "words" }, Describe.test(data, c)) },
        { label: "paper", value: (c) => c.published, cell: (c) => Describe.oursOf(c, c.published) },
        { label: "ours, as the paper's", value: (c) => c.ledger.ours, cell: (c) => Describe.oursOf(c, c.ledger.ours) },
      ] }),
    ];
  }

  function view(data, { claim: name }) {
    const claim = data.claims.find((each) => each.name === name);
    if (!claim) return [h("h1", {}, "No such claim"), h("p", {}, `There is no claim ${name} in this study. `, link("claims", {}, "All claims"))];
    const { ledger } = claim;
    const stable = Describe.stability(data, claim);
    const facts = {
      "the paper says": `${claim.says} (${claim.source})`, found: claim.reason_text,
      effect: ledger.effect === null && ledger.low === null ? "" : `${Describe.effect(claim)} (${100 * data.tests.confidence} % interval)`,
      "beside the paper": claim.published === null || ledger.ours === null ? "" : `${Describe.oursOf(claim, ledger.ours)} here, ${Describe.oursOf(claim, claim.published)} in the paper`,
      test: Glossary.linked(Describe.test(data, claim)), p: ledger.p === null ? "" : Glossary.linked(`${pValue(ledger.p)}, by Holm's correction ${pValue(ledger.p_holm)}; alpha ${data.tests.alpha}`),
      n: ledger.n === null ? "" : `${any(ledger.n)} ${Describe.counted(claim)}`, "why these problems": Glossary.linked(Describe.denominators(data, claim)),
      "other choices": stable && [Glossary.linked(stable.text), " (", link("overview", { at: "plot-multiverse" }, "curve"), stable.same < stable.choices && [", ", link("overview", { at: "choices-title" }, "what flips it")], ")"],
      "to repeat it": Describe.repetition(data, claim), rule: claim.rule_text, "by construction": claim.by_construction, note: claim.note, basis: ledger.basis,
    };
    const place = data.claims.indexOf(claim);
    const area = h("div", { id: "claim-computed" });
    const status = h("p", { role: "status" });
    const why = Rules.notHere(claim);
    const button = h("button", { type: "button", id: "recompute-claim", click: () => compute(data, claim, area, status, button) }, "Compute it again here");
    queueMicrotask(() => !why && compute(data, claim, area, status, button));
    return [
      h("nav", { class: "steps", "aria-label": "Claims" }, step(data.claims[place - 1], "prev", "← "), step(data.claims[place + 1], "next", "", " →")),
      h("h1", {}, name.replaceAll("_", " ")), h("p", {}, Overview.verdict(ledger), " ", Overview.flips(data, claim)), Dom.effectBar(claim),
      h("dl", { class: "facts" }, Object.entries(facts).filter(([, text]) => text && text.length !== 0).map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text)))),
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
      table({ caption: "Figures as the ledger has them, not scaled: a share of 0.175 is 17.5 points", rows, columns: [
        { label: "figure", value: (row) => row[0].replace("p_holm", "p (Holm)") }, { label: "unit", value: (row) => Describe.raw(claim, row[0]) }, { label: "ledger", numeric: true, value: (row) => row[1], cell: (row) => Overview.exact(row[1]) },
        { label: "here", numeric: true, value: (row) => row[2], cell: (row) => Overview.exact(row[2]) }, { label: "equal?", value: (row) => (row[3] ? "equal" : "differs") },
      ] }),
      ...(result.tables ?? []).map(({ caption, head, rows: body, as }) => Dom.simple(caption, head, body, as)),
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
    const name = (unit) => of(unit)?.id ?? unit.id;
    const scored = claim.rule.kind.startsWith("likelihood"); // such a problem need not have been asked
    const share = scored ? figure : points;
    return h("div", {}, h("h3", {}, "The problems that decide it"),
      h("p", {}, `${up} problems raise the effect, ${down} lower it, ${units.length - up - down} do neither.`),
      table({ caption: `Each problem's share, in ${scored ? Describe.raw(claim, "effect") : "points"}; sort by it to see what speaks for and against`, rows: units, most: 20, sort: { at: 2, down: true }, columns: [
        { label: "problem", value: name, cell: (unit) => (of(unit) ? link("problem", { problem: of(unit).id, in: of(unit).benchmark }, of(unit).id) : unit.id) },
        { label: "statement", value: (unit) => of(unit)?.statement ?? "", cell: (unit) => of(unit) && h("span", { class: "statement" }, Dom.pieces(of(unit).pieces)) },
        { label: claim.rule.kind === "falls" ? "slope" : "difference", numeric: true, value: (unit) => unit.value, cell: (unit) => share(unit.value) },
        ...arms.map((arm, i) => ({ label: arm, numeric: true, value: (unit) => unit.values[i], cell: (unit) => (scored ? figure : percent)(unit.values[i]) })),
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
    for (const printed of [false, true]) {
      const family = data.claims.filter((claim) => claim.ledger.p !== null && (claim.ledger.basis === "printed counts") === printed).map((claim) => claim.name);
      if (printed ? !data.counts || family.length < data.counts.tests : !family.every((name) => name in p)) continue; // not all of the family is here
      for (const [name, value] of Object.entries(Stats.holm(Object.fromEntries(family.map((name) => [name, p[name]]))))) add(rows, `claim ${name}`, Rules.compare({ p_holm: value }, data.claims.find((claim) => claim.name === name).ledger));
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
