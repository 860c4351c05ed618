"use strict";
// The words that a reader may not know, each explained once; where one stands first in a view it links here.

const Glossary = (() => {
  const { h, link } = Dom;
  const TERMS = {
    accuracy: "The share of a set's problems answered correctly, a mean over seeds. In %; a difference of two accuracies is in points.",
    adapter: "A small set of weights (LoRA) trained on top of the base, which itself stays as it is.",
    alpha: "The p below which a claim counts as shown, after Holm's correction.",
    arm: "What an adapter was trained on. 'base' is the student without an adapter.",
    "by construction": "A verdict: the study's own design makes the pattern true, so that finding it says nothing.",
    choices: "Defensible ways to analyse the same answers: which grader, which seed, what counts as one unit. A verdict that changes with them is marked.",
    cluster: "Problems that are duplicates or near-duplicates of each other. A test counts them as one.",
    draws: "Random patterns of signs, or resamples, by which a p or an interval is estimated. This page repeats the same ones.",
    "gold answer": "The answer of the answer key.",
    "held out": "Of a problem and an arm: neither in the arm's corpus, nor a duplicate of such a problem, nor used for validation. The base was trained on no arm's corpus: for it the study's own split counts.",
    Holm: "Holm's correction: raises each p so that the chance of any false finding among all claims stays below alpha.",
    interval: "A range that covers the true value in 95 % (or as stated) of studies like this one; for accuracies a bootstrap over problem clusters.",
    ledger: "The list of claims with the rule of each, fixed before the run, and the figures that the pipeline computed.",
    level: "How much of the teacher's reasoning a training text keeps, from r1 (all) to r6 (one line); 'answer': the answer alone.",
    "nats a token": "Mean logarithm of the probability that a student gives to each token of a text. 0 is certain; higher is more probable.",
    "near-duplicate": "Of a problem and an arm: in a cluster with a problem that the arm was trained on.",
    p: "How often an effect at least as large would come about were there none. Small speaks against chance.",
    points: "Percentage points: the difference of two accuracies in %.",
    seed: "The number that starts the random draws of a training. Each arm is trained once for each seed.",
    "sign-flip test": "Takes each problem cluster's difference between two arms and gives it a random sign, again and again: how often is the mean as far from 0 as the one found? Two-sided.",
    "trained on": "Of a problem and an arm: its text is in the arm's corpus ('seen').",
    truncated: "An answer that was cut at the limit of tokens before it ended.",
    verdict: "What came of a claim. Of a scale model: holds, fails, inconclusive. Of a real student: reproduced, contradicted, inconclusive. Of printed counts: supported, contradicted, inconclusive.",
    "Welch's t test": "Compares the means of two independent groups whose spreads may differ. Two-sided.",
  };

  /** A word that links to what it means, which a pointer shows too. */
  const term = (name, text = name) => link("glossary", { term: name }, text, { class: "term", title: TERMS[name] });

  /** A text whose terms link to what they mean, each once; longest terms first. */
  function linked(text) {
    if (!text) return "";
    const names = Object.keys(TERMS).filter((name) => name.length > 3).sort((a, b) => b.length - a.length);
    const seen = new Set();
    const parts = text.split(new RegExp(`\\b(${names.map((name) => `${name}s?`).join("|")})\\b`));
    return parts.map((part, i) => {
      const name = i % 2 ? names.find((each) => each === part || `${each}s` === part) : null;
      if (!name || seen.has(name)) return part;
      seen.add(name);
      return term(name, part);
    });
  }

  function view(data, { term: wanted }) {
    return [
      h("h1", {}, "Words"), h("p", {}, "What the words of this page mean here."),
      h("dl", { class: "facts" }, Object.entries(TERMS).map(([name, text]) => h("div", { id: `term-${name}`, class: name === wanted ? "wanted" : null }, h("dt", {}, name), h("dd", {}, text)))),
    ];
  }

  return { term, linked, view, TERMS };
})();
