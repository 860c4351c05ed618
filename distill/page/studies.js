"use strict";
// What other stages add where a study has them: the multiverse of choices, the problems lost on the way; and where everything is from.

const Studies = (() => {
  const { h, link, simple, table, percent, figure } = Dom;
  const AXES = { truncated: "truncated answers", ungradable: "ungradable answers", near: "near-duplicates" };

  /** How stable each verdict is under other defensible choices, and the smallest changes that flip it. */
  function multiverse(data) {
    const found = data.metrics.multiverse;
    if (!found?.claims) return null;
    return h("section", { "aria-labelledby": "choices-title" }, h("h2", { id: "choices-title" }, "Claims under other choices"),
      h("p", {}, `Each claim judged again, by its own rule, under ${found.choices.toLocaleString("en")} combinations of choices; those that change no figure of a claim are left out. `
        + "The combinations are no sample of anything, so a share is no probability. ", link("overview", { at: "plot-multiverse" }, "The curve"), " is among the plots."),
      simple("The choices; the first of each is the ledger's", ["choice", "options"], Object.entries(found.axes).map(([axis, options]) => [AXES[axis] ?? axis, options.join(", ")])),
      table({ caption: "How often the verdict is the ledger's", rows: Object.entries(found.claims), columns: [
        { label: "claim", value: ([name]) => name, cell: ([name]) => link("claim", { claim: name }, name) },
        { label: "verdict", value: ([, claim]) => claim.verdict, cell: ([, claim]) => Overview.verdict(claim) },
        { label: "same verdict", numeric: true, value: ([, claim]) => claim.share ?? null, cell: ([, claim]) => (claim.choices > 1 ? percent(claim.share) : "") },
        { label: "choices", numeric: true, value: ([, claim]) => claim.choices },
        { label: "effect", value: ([, claim]) => claim.least ?? null, cell: ([name, claim]) => (claim.choices > 1 && claim.least !== undefined ? range(data, name, claim) : "") },
        { label: "what flips it", value: ([, claim]) => claim.flips.length, cell: ([, claim]) => flips(claim) },
      ] }));
  }

  function range(data, name, { least, most }) {
    const claim = data.claims.find((each) => each.name === name);
    return `${Describe.number(least, Describe.units(claim).effect)} to ${Describe.effectOf(claim, most)}`;
  }

  const flips = ({ flips: found, choices }) => (choices < 2 ? "no choice applies" : found.length ? h("ul", { class: "flips" }, found.slice(0, 3).map((flip) =>
    h("li", {}, `${Object.entries(flip.changes).map(([axis, option]) => `${AXES[axis] ?? axis}: ${option}`).join(" with ") || "fewer resamples"} (${flip.verdict})`)),
    found.length > 3 && h("li", {}, `and ${found.length - 3} more`)) : "none");

  /** The problems that each step leaves out, by reason; steps with equal counts share a row. */
  function drops(data) {
    const steps = data.metrics.drops?.steps;
    if (!steps?.length) return null;
    const groups = new Map();
    for (const step of steps) {
      const key = JSON.stringify([step.stage, step.benchmark, step.input, step.drops, step.output]);
      groups.set(key, { ...step, names: [...(groups.get(key)?.names ?? []), step.of].filter(Boolean) });
    }
    return h("section", { "aria-labelledby": "drops-title" }, h("h2", { id: "drops-title" }, "Problems left out"),
      h("p", {}, "Each row adds up: what goes in, less what is left out, comes out. Of a claim, the output counts clusters of near-duplicates."),
      table({ caption: "Every problem left out, by stage and reason", rows: [...groups.values()], most: 200, columns: [
        { label: "stage", value: (row) => row.stage },
        { label: "of", value: (row) => row.names.join(", ") + (row.benchmark ? `${row.names.length ? " on " : ""}${row.benchmark}` : "") },
        { label: "in", numeric: true, value: (row) => row.input },
        { label: "left out", value: (row) => Object.entries(row.drops).map(([reason, count]) => `${reason}: ${count}`).join("; ") || "none" },
        { label: "out", numeric: true, value: (row) => row.output },
      ] }));
  }

  /** How probable given texts are to the base and to every arm, where a study scores them. */
  function likelihood(data) {
    const rows = Object.entries(data.metrics.likelihood?.arms ?? {}).flatMap(([arm, measures]) => Object.entries(measures).flatMap(([measure, parts]) =>
      Object.entries(parts).filter(([, cell]) => typeof cell.mean === "number").map(([part, cell]) => ({ arm, measure, part, ...cell }))));
    if (!rows.length) return null;
    const between = (a, low, high) => (typeof a === "number" ? `${figure(a)} [${figure(low)}, ${figure(high)}]` : "");
    return h("section", { "aria-labelledby": "likelihood-title" }, h("h2", { id: "likelihood-title" }, "Likelihood of given texts"),
      h("p", {}, Glossary.linked("Mean log-likelihood in nats a token (0 is certain), of answer_sampled a probability; in brackets the interval over problems. The gain is over the base on the same texts.")),
      table({ caption: "Every arm, measure and part", rows, most: 40, columns: [
        { label: "arm", value: (row) => row.arm }, { label: "measure", value: (row) => row.measure.replaceAll("_", " ") }, { label: "problems", value: (row) => row.part },
        { label: "unit", value: (row) => (row.measure === "answer_sampled" ? "probability" : "nats a token") },
        { label: "mean", numeric: true, value: (row) => row.mean, cell: (row) => between(row.mean, row.low, row.high) },
        { label: "gain", numeric: true, value: (row) => row.gain ?? null, cell: (row) => between(row.gain, row.gain_low, row.gain_high) },
        { label: "n", numeric: true, value: (row) => row.n },
      ] }));
  }

  function view(data) {
    const { answers } = data;
    const texts = answers.text.filter((at) => at >= 0).length;
    const all = texts === data.answerCount;
    return [
      h("h1", {}, "Where the data are from"),
      h("p", {}, `The page holds ${data.answerCount.toLocaleString("en")} verdicts and the texts of ${texts.toLocaleString("en")} answers`
        + (all ? ", all of them." : `: those to ${answers.held.toLocaleString("en")} of ${data.problems.length.toLocaleString("en")} problems, drawn by a hash of their ids, until section page of the study file allows no more.`)),
      simple("Files that this page is made from", ["file", "made by"], data.sources),
      simple("How claims are tested", ["setting", "value"], Object.entries(data.tests)),
      simple("How accuracies are summed up", ["setting", "value"], Object.entries(data.intervals)),
      h("h2", {}, "The draws"),
      h("p", {}, "A bootstrap interval draws clusters with numpy's default_rng(seed).integers(0, clusters), resample after resample; a sign-flip test draws a coin for each cluster that differs with integers(0, 2, dtype=int8), "
        + "500 resamples a call, and seed + 1. The interval of an accuracy has the seed of section summarise plus the CRC-32 of ARM/BENCHMARK/SPLIT. This page holds the same generator (PCG64, seeded by SeedSequence), so that its figures are those of the ledger to the last of its six digits."),
    ];
  }

  return { likelihood, multiverse, drops, view };
})();
