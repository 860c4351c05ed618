"use strict";
// What other stages add where a study has them: the multiverse of choices, the problems lost on the way; and where everything is from.

const Studies = (() => {
  const { h, simple } = Dom;

  const multiverse = () => null;
  const drops = () => null;

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

  return { multiverse, drops, view };
})();
