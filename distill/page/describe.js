"use strict";
// A claim in words: its figures with their units, its test, on which problems, and what a repetition needs.

const Describe = (() => {
  const NAMES = { heldout: "held-out", seen: "trained-on", near: "near-duplicate", valid: "validation" };
  const LEFT = { heldout: "held out for ARM", seen: "that ARM was trained on", near: "near-duplicates of what ARM was trained on", valid: "that ARM was validated on" };
  const BASE_LEFT = { // the base has no corpus of its own
    heldout: "that the study's split holds out", seen: "that the study's split keeps for training", near: "near-duplicates of what the study's split keeps for training", valid: "that the study's split keeps for validation",
  };
  const unit = (scale, digits, text, raw, signed = true) => ({ scale, digits, text, raw, signed });
  const POINTS = unit(100, 1, " points", "share of answers");
  const STEP = unit(100, 1, " points a step", "share of answers a step");
  const PERCENT = unit(100, 1, " %", "share of answers", false);
  const OF_GAIN = unit(100, 1, " % of the gain", "share of the gain", false);
  const LOSS = [unit(100, 1, " % above the lowest loss", "ratio less 1"), unit(1, 4, " times the lowest loss", "ratio", false)];
  const NATS = unit(1, 4, " nats a token", "nats a token");
  const CHANCE = unit(1, 4, " probability", "probability");
  const UNITS = { // by rule: the unit of its effect and of the figure that compares with the paper's
    falls: [STEP, POINTS], fall: [STEP, POINTS], accuracy: [PERCENT, PERCENT], spread_small: [OF_GAIN, OF_GAIN], spread: [OF_GAIN, OF_GAIN], long_run: LOSS, curve: LOSS,
    words_fall: [unit(1, 1, " words", "words"), unit(100, 1, " % of the first arm's words", "share of the first arm's words", false)], one_file: [PERCENT, PERCENT],
  };

  const ruleOf = (claim) => (claim.ledger.basis === "printed counts" ? claim.counted : claim.rule);

  function units(claim) {
    const { kind, measure } = ruleOf(claim);
    const both = kind.startsWith("likelihood") ? (measure === "answer_sampled" ? CHANCE : NATS) : POINTS;
    const [effect, ours] = UNITS[kind] ?? [both, both];
    return { effect, ours };
  }

  function number(value, { scale, digits, signed }) {
    const shown = Math.abs(scale * value).toFixed(digits);
    return (value < 0 ? "−" : signed ? "+" : "") + shown;
  }

  const shown = (value, unit_) => (value === null || value === undefined ? "" : number(value, unit_) + unit_.text);
  const effectOf = (claim, value) => shown(value, units(claim).effect);
  const oursOf = (claim, value) => shown(value, units(claim).ours);

  /** The effect with its interval: +17.5 [+12.4, +22.5] points. */
  function effect(claim, figures = claim.ledger) {
    const of = units(claim).effect;
    const between = figures.low === null || figures.low === undefined ? "" : `[${number(figures.low, of)}, ${number(figures.high, of)}]`;
    return figures.effect === null ? between && between + of.text : [number(figures.effect, of), between].filter(Boolean).join(" ") + of.text;
  }

  /** The unit of a figure as the ledger has it, not scaled. */
  function raw(claim, name) {
    const { effect: of, ours } = units(claim);
    return { effect: of.raw, low: of.raw, high: of.raw, ours: ours.raw, p: "probability", p_holm: "probability", n: counted(claim) }[name] ?? "";
  }

  function counted(claim) {
    const { kind } = ruleOf(claim);
    if (kind.startsWith("spread")) return "seeds";
    if (kind === "curve") return "points of one curve";
    if (claim.ledger.basis === "printed counts" || kind === "one_file") return "questions";
    return ["accuracy", "teacher_above", "words_fall"].includes(kind) ? "problems" : "problem clusters";
  }

  const TESTS = {
    hurt_most: "Welch's t test, two-sided, of two independent groups of problem clusters", more_on_seen: "Welch's t test, two-sided, of two independent groups of problem clusters",
    seen_above: "Welch's t test, two-sided, of two independent groups of problem clusters", likelihood_gap: "Welch's t test, two-sided, of two independent groups of problem clusters",
    accuracy: "no test: the interval is compared with the paper's figure", teacher_above: "no p: Newcombe's interval of the difference of two rates decides",
    spread_small: "no p: the chi-square interval of the seeds' standard deviation decides", spread: "no p: the chi-square interval of the seeds' standard deviation decides",
    words_fall: "no test: the means of the arms are compared in their order", long_run: "no test: one curve", curve: "no test: one curve", one_file: "no test: two printed figures are compared",
    gain: "exact McNemar test (of means over seeds a z test), two-sided, the largest p over every pairing that the counts allow", fall: "z test of the slope, two-sided, the largest p that the counts allow",
    loss: "z tests, two-sided, the largest p that the counts allow", unseen: "no p: all gains that the counts allow",
  };

  /** The test that judges a claim: which, how many sides, over what, how many draws. */
  function test(data, claim) {
    const { ledger } = claim;
    const rule = ruleOf(claim);
    if (ledger.verdict === "not run") return "not tested";
    const over = ledger.n === null ? "" : ` ${ledger.n.toLocaleString("en")} ${counted(claim)}`;
    const sides = Rules.sides(data, rule);
    if (!sides) return TESTS[rule.kind] + (over && `;${over}`);
    const differ = Stats.differing(sides.differences, sides.clusters);
    const draws = differ > Stats.EXACT_LIMIT ? `${data.tests.resamples.toLocaleString("en")} random draws of signs` : `all sign patterns of the ${differ} that differ`;
    return `paired sign-flip test, two-sided, over${over}; ${draws}`;
  }

  const number_ = (count) => count.toLocaleString("en");

  /** Planning figures: not whether this result is significant, which p says, but what a repetition needs. */
  function repetition(data, claim) {
    const { ledger } = claim;
    const family = data.claims.filter((each) => each.ledger.p !== null && (each.ledger.basis === "printed counts") === (ledger.basis === "printed counts")).length;
    const of = counted(claim);
    const power = `${100 * data.tests.power} %`;
    const size = ledger.effect === null ? "" : shown(ledger.effect, { ...units(claim).effect, signed: false }).replace("−", "");
    if (ledger.detectable === null) return ledger.deciding === null ? "" : `a result as clear as this takes about ${number_(ledger.deciding)} ${of} (here ${number_(ledger.n)})`;
    return `with ${number_(ledger.n)} ${of}, ${power} of repetitions find a true effect of ${shown(ledger.detectable, { ...units(claim).effect, signed: false })}`
      + (ledger.deciding === null ? "" : `; for one of ${size}, as found here, so many need about ${number_(ledger.deciding)} ${of}`)
      + `. Both at Holm's strictest step, p below ${data.tests.alpha} / ${family}; they plan a repetition, and whether this result is significant is what its p says`;
  }

  /** Why a claim's figures are of other problems than an arm's own line of the accuracies. */
  function denominators(data, claim) {
    const { rule, ledger } = claim;
    if (!rule.benchmark || ledger.basis === "printed counts" || ["accuracy", "one_file"].includes(rule.kind)) return "";
    const arms = [...new Set([...(rule.arms ?? []), rule.arm, rule.comparator].filter(Boolean))];
    const own = arms.map((arm) => Data.byProblem(data, arm, rule.benchmark, rule.split));
    const both = [...own[0].keys()].filter((place) => own.every((part) => part.has(place)));
    return own.map((part, i) => {
      const left = [...part.keys()].filter((place) => !own.every((each) => each.has(place)));
      if (!left.length) return "";
      const why = new Map();
      for (const place of left) {
        const arm = arms[own.findIndex((each) => !each.has(place))];
        const reason = (arm === "base" ? BASE_LEFT : LEFT)[data.role(place, arm)]?.replace("ARM", arm) ?? `that ${arm} was not asked`;
        why.set(reason, (why.get(reason) ?? 0) + 1);
      }
      return `${arms[i]} alone has ${part.size} ${NAMES[rule.split] ?? ""} problems (${Dom.percent(Stats.mean([...part.values()]))} right); the claim is on the ${both.length} that ${arms.join(" and ")} have in common, `
        + `without ${[...why].map(([reason, count]) => `${count} ${reason}`).join(" and ")}`;
    }).filter(Boolean).join(". ");
  }

  /** Under how many other choices the verdict stands: {choices, same, text}; null where none applies. */
  function stability(data, claim) {
    const found = data.metrics.multiverse?.claims?.[claim.name];
    if (!(found?.choices > 1)) return null;
    const { choices, same } = found;
    return { choices, same, text: same === choices ? `the same verdict in all ${choices} choices of analysis` : `${claim.ledger.verdict} in ${same} of ${choices} choices of analysis, another verdict in ${choices - same}` };
  }

  return { units, shown, number, effectOf, oursOf, effect, raw, counted, test, repetition, denominators, stability, ruleOf };
})();
