"use strict";
// The claims' rules, computed again from the verdicts and likelihoods that the page holds; each is its namesake in distill/claims.
// A rule returns its figures; `units`, the problems that decide it with each one's share in the effect; and further `tables`.

const Rules = (() => {
  const { common, byProblem, ofSeed, seeds, scored } = Data;
  const column = (rows, i) => rows.map((row) => row[i]);

  function units(found, value) {
    return found.places.map((place, i) => ({ place, values: found.values[i], value: value(found.values[i]) }));
  }

  /** What a sign-flip test compares: each problem's difference, or slope, and its cluster; null of a rule that has another test. */
  function sides(data, rule) {
    const of = SIDES[rule.kind];
    return of ? of(data, rule) : null;
  }

  const SIDES = {
    above(data, rule) {
      const both = common(data, [rule.arm, rule.comparator], rule.benchmark, rule.split);
      return { ...both, differences: both.values.map(([a, b]) => a - b) };
    },
    falls(data, rule) {
      const found = common(data, rule.arms, rule.benchmark, rule.split);
      return { ...found, differences: found.values.map(Stats.slope) };
    },
    likelihood_above: (data, rule) => scored(data, rule, rule.part),
  };

  async function above(data, rule, settings) {
    const both = sides(data, rule);
    const result = await Stats.paired(both.differences, both.clusters, settings);
    const single = seeds(data, rule.comparator).length === 1;
    const bySeed = seeds(data, rule.arm).map((seed) => {
      const arm = ofSeed(data, rule.arm, seed, rule.benchmark, rule.split);
      const other = ofSeed(data, rule.comparator, single ? seeds(data, rule.comparator)[0] : seed, rule.benchmark, rule.split);
      if (!arm || !other) return [seed, null, null, null];
      const shared = [...arm.keys()].filter((place) => other.has(place));
      const [mine, theirs] = [arm, other].map((part) => shared.map((place) => part.get(place)));
      return [seed, Stats.mean(mine), Stats.mean(theirs), shared.length ? Stats.mcnemar(mine, theirs) : null];
    });
    return {
      figures: { ours: result.effect, ...result },
      units: units(both, ([a, b]) => a - b), arms: [rule.arm, rule.comparator],
      tables: [{ caption: "Accuracy by seed, and McNemar's exact p, two-sided", head: ["seed", rule.arm, rule.comparator, "p"], as: [null, "percent", "percent", "pValue"], rows: bySeed }],
    };
  }

  async function falls(data, rule, settings) {
    const found = sides(data, rule);
    const result = await Stats.paired(found.differences, found.clusters, settings);
    const means = rule.arms.map((_, i) => Stats.mean(column(found.values, i)));
    const rows = [];
    for (let i = 1; i < rule.arms.length; i++) {
      const step = await Stats.paired(found.values.map((row) => row[i] - row[i - 1]), found.clusters, settings);
      rows.push([`${rule.arms[i - 1]} to ${rule.arms[i]}`, step.effect, step.low, step.high, step.p]);
    }
    return {
      figures: { ours: means.at(-1) - means[0], ...result }, units: units(found, Stats.slope), arms: rule.arms,
      tables: [{ caption: "By step, in points (each tested alone, without correction)", head: ["step", "change", "low", "high", "p"], as: [null, "points", "points", "points", "pValue"], rows }],
    };
  }

  async function wordsFall(data, rule) {
    const found = common(data, rule.arms, rule.benchmark, rule.split, "words");
    const means = rule.arms.map((_, i) => Stats.mean(column(found.values, i)));
    return {
      figures: { ours: means.at(-1) / means[0], effect: means.at(-1) - means[0], n: found.places.length },
      tables: [{ caption: "Mean words of an answer", head: ["arm", "words"], rows: rule.arms.map((arm, i) => [arm, means[i]]) }],
    };
  }

  /** Welch's tests of one group against others: the smallest effect, and the largest p where the effect is as claimed. */
  function welchOfAll(groups, settings) {
    const tests = groups.map(([name, mine, other]) => ({ name, n: mine.length + other.length, ...Stats.welch(mine, other, settings.confidence) }));
    const least = tests.reduce((a, b) => (b.effect < a.effect || (b.effect === a.effect && b.name < a.name) ? b : a));
    const p = least.effect > 0 ? Math.max(...tests.map((test) => test.p)) : least.p;
    return { ours: least.effect, effect: least.effect, low: least.low, high: least.high, p, n: least.n };
  }

  async function hurtMost(data, rule, settings) {
    const both = common(data, rule.arms, rule.benchmark, rule.split);
    const sections = both.places.map((place) => data.problems[place].section);
    const losses = new Map([...new Set(sections)].sort().map((name) => {
      const own = both.places.map((_, i) => i).filter((i) => sections[i] === name);
      return [name, Stats.clusterMeans(own.map((i) => both.values[i][0] - both.values[i][1]), own.map((i) => both.clusters[i]))];
    }));
    const mine = losses.get(rule.section);
    const others = [...losses].filter(([name]) => name !== rule.section);
    return {
      figures: welchOfAll(others.map(([name, loss]) => [name, mine, loss]), settings),
      units: units(both, ([a, b]) => a - b), arms: rule.arms,
      tables: [{ caption: "Share of answers lost, by section", head: ["section", "loss", "problem clusters"], as: [null, "percent", "any"], rows: [...losses].map(([name, loss]) => [name, Stats.mean(loss), loss.length]) }],
    };
  }

  async function moreOnSeen(data, rule, settings) {
    const both = common(data, [rule.arm, rule.comparator], rule.benchmark, "all");
    const [seen, held] = ["seen", "heldout"].map((role) => {
      const own = both.places.map((_, i) => i).filter((i) => data.role(both.places[i], rule.arm) === role);
      return Stats.clusterMeans(own.map((i) => both.values[i][0] - both.values[i][1]), own.map((i) => both.clusters[i]));
    });
    const result = Stats.welch(seen, held, settings.confidence);
    return {
      figures: { ours: result.effect, ...result, n: seen.length + held.length },
      tables: [{ caption: "Gain in points", head: ["problems", "gain", "clusters"], as: [null, "points", "any"], rows: [["trained on", Stats.mean(seen), seen.length], ["held out", Stats.mean(held), held.length]] }],
    };
  }

  async function seenAbove(data, rule, settings) {
    const groups = rule.arms.map((arm) => [arm, ...["seen", "heldout"].map((role) => {
      const part = byProblem(data, arm, rule.benchmark, role);
      return Stats.clusterMeans([...part.values()], [...part.keys()].map((place) => data.problems[place].cluster));
    })]);
    return {
      figures: welchOfAll(groups, settings),
      tables: [{ caption: "Accuracy", head: ["arm", "trained on", "held out"], as: [null, "percent", "percent"], rows: groups.map(([arm, a, b]) => [arm, Stats.mean(a), Stats.mean(b)]) }],
    };
  }

  /** An arm's line of the summary: accuracy, its interval, the number of problems, and the deviation of its seeds. */
  async function accuracyOf(data, arm, benchmark, split) {
    const part = byProblem(data, arm, benchmark, split);
    const scores = [...part.values()];
    const clusters = [...part.keys()].map((place) => data.problems[place].cluster);
    const { confidence, resamples, seed } = data.intervals;
    const seeded = { confidence, resamples, seed: seed + Stats.crc32(`${arm}/${benchmark}/${split}`) };
    const [low, high] = await Stats.rateInterval(scores, clusters, seeded);
    const bySeed = seeds(data, arm).map((number) => ofSeed(data, arm, number, benchmark, split)).filter(Boolean).map((each) => Stats.mean([...each.values()]));
    return { accuracy: Stats.mean(scores), low, high, n: scores.length, sd: bySeed.length > 1 ? Stats.deviation(bySeed) : null };
  }

  /** The same to six digits, as metrics/STUDY/summary.json hands it to the claims. */
  async function summaryOf(...where) {
    const line = await accuracyOf(...where);
    return Object.fromEntries(Object.entries(line).map(([name, value]) => [name, value === null ? null : Math.round(value * 1e6) / 1e6]));
  }

  async function accuracy(data, rule) {
    const { accuracy: ours, low, high, n } = await summaryOf(data, rule.arm, rule.benchmark, rule.split);
    return { figures: { ours, effect: ours, low, high, n } };
  }

  async function teacherAbove(data, rule, settings) {
    const teacher = data.metrics.teacher;
    const arm = await summaryOf(data, rule.arm, rule.benchmark, rule.split);
    const [low, high] = Stats.newcombe(teacher.accuracy, teacher.problems, arm.accuracy, arm.n, settings.confidence);
    const effect = teacher.accuracy - arm.accuracy;
    return { figures: { ours: effect, effect, low, high, n: arm.n } };
  }

  async function spreadSmall(data, rule, settings) {
    const { sd } = await summaryOf(data, rule.arm, rule.benchmark, rule.split);
    const both = common(data, [rule.arm, rule.comparator], rule.benchmark, rule.split);
    const gain = Stats.mean(both.values.map(([a, b]) => a - b));
    const n = seeds(data, rule.arm).length;
    const [low, high] = Stats.deviationInterval(sd, n, settings.confidence).map((end) => end / gain);
    const rows = seeds(data, rule.arm).map((seed) => [seed, Stats.mean([...ofSeed(data, rule.arm, seed, rule.benchmark, rule.split).values()])]);
    return { figures: { ours: sd / gain, effect: sd / gain, low, high, n }, tables: [{ caption: "By seed", head: ["seed", "accuracy"], as: [null, "percent"], rows }] };
  }

  async function likelihoodAbove(data, rule, settings) {
    const both = sides(data, rule);
    const result = await Stats.paired(both.differences, both.clusters, settings);
    const shares = both.names.map((id, i) => ({ place: both.places[i], id, values: both.values[i], value: both.differences[i] }));
    return { figures: { ours: result.effect, ...result }, units: shares, arms: [rule.arm, rule.comparator], tables: [{
      caption: "Mean over problems", head: ["arm", "mean", "problems"], as: [null, "figure", "any"],
      rows: [rule.arm, rule.comparator].map((arm, i) => [arm, Stats.mean(column(both.values, i)), both.values.length]),
    }] };
  }

  async function likelihoodGap(data, rule, settings) {
    const [seen, held] = ["seen", "heldout"].map((part) => {
      const both = scored(data, rule, part);
      return Stats.clusterMeans(both.differences, both.clusters);
    });
    return {
      figures: { ours: Stats.mean(seen) - Stats.mean(held), ...Stats.welch(seen, held, settings.confidence), n: seen.length + held.length },
      tables: [{ caption: "Gain", head: ["problems", "gain", "clusters"], as: [null, "figure", "any"], rows: [["trained on", Stats.mean(seen), seen.length], ["held out", Stats.mean(held), held.length]] }],
    };
  }

  async function longRun(data) {
    const { best_loss: best, last_loss: last } = data.metrics.overfit;
    return { figures: { ours: last / best, effect: last / best - 1 }, fromMetrics: true };
  }

  const KINDS = {
    above, falls, words_fall: wordsFall, hurt_most: hurtMost, more_on_seen: moreOnSeen, seen_above: seenAbove, accuracy,
    teacher_above: teacherAbove, spread_small: spreadSmall, long_run: longRun, likelihood_above: likelihoodAbove, likelihood_gap: likelihoodGap,
  };

  /** Why the page does not compute a claim again; "" where it does. */
  function notHere(claim) {
    if (claim.ledger.verdict === "not run") return "the run holds nothing that could test it";
    const { kind } = Describe.ruleOf(claim);
    if (claim.ledger.basis === "printed counts") return kind in Counts.KINDS ? "" : `the page has no rule ${kind} of printed counts`;
    return kind in KINDS ? "" : `rule ${kind} reads the verdicts of a published judge, which the page does not hold`;
  }

  async function measure(data, claim) {
    const rule = Describe.ruleOf(claim);
    if (claim.ledger.basis === "printed counts") return { figures: Counts.measure(data.counts.counts, rule, data.counts) };
    return KINDS[rule.kind](data, rule, data.tests);
  }

  /** Compare figures with the ledger's, which are rounded to six digits: [name, ledger, here, equal]. */
  function compare(figures, ledger) {
    return Object.keys(figures).filter((name) => name in ledger).map((name) => {
      const [theirs, ours] = [ledger[name], figures[name]];
      const equal = theirs === null || ours === null ? theirs === ours : Math.abs(theirs - ours) <= 5e-7 + 1e-9 * Math.abs(ours);
      return [name, theirs, ours, equal];
    });
  }

  return { sides, notHere, measure, compare, accuracyOf };
})();
