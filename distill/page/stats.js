"use strict";
// Intervals and tests, each the same as its namesake in distill/stats (docs/statistics.md says which test is used where and why).
// Long loops give the browser a moment every 30 ms, so they are asynchronous.

const Stats = (() => {
  const BLOCK = 500; // resamples of one call of the generator
  const EXACT_LIMIT = 14; // clusters that differ: all sign patterns of so many are enumerated
  let rested = 0;

  async function rest() {
    if (performance.now() - rested < 30) return;
    await new Promise((done) => setTimeout(done));
    rested = performance.now();
  }

  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const mean = (values) => sum(values) / values.length;
  const spread = (values) => Math.max(...values) - Math.min(...values);

  function deviation(values) {
    const centre = mean(values);
    return Math.sqrt(sum(values.map((value) => (value - centre) ** 2)) / (values.length - 1));
  }

  /** Sum and size of each cluster, in the clusters' sorted order. */
  function byCluster(scores, clusters) {
    const names = [...new Set(clusters)].sort();
    const places = new Map(names.map((name, i) => [name, i]));
    const sums = new Float64Array(names.length);
    const sizes = new Float64Array(names.length);
    scores.forEach((score, i) => {
      sums[places.get(clusters[i])] += score;
      sizes[places.get(clusters[i])] += 1;
    });
    return { sums, sizes };
  }

  function clusterMeans(scores, clusters) {
    const { sums, sizes } = byCluster(scores, clusters);
    return Array.from(sums, (total, i) => total / sizes[i]);
  }

  function wilson(rate, n, confidence) {
    const z = Special.normalQuantile((1 + confidence) / 2);
    const centre = (rate + (z * z) / (2 * n)) / (1 + (z * z) / n);
    const half = (z / (1 + (z * z) / n)) * Math.sqrt(Math.max(rate * (1 - rate), 0) / n + (z * z) / (4 * n * n));
    return [Math.max(0, centre - half), Math.min(1, centre + half)];
  }

  function quantile(sorted, q) {
    const at = q * (sorted.length - 1);
    const low = Math.floor(at);
    return low + 1 < sorted.length ? sorted[low] + (sorted[low + 1] - sorted[low]) * (at - low) : sorted[low];
  }

  /** Percentile bootstrap interval of the mean over problems, clusters drawn with replacement. */
  async function bootstrap(scores, clusters, { confidence, resamples, seed }) {
    const { sums, sizes } = byCluster(scores, clusters);
    const random = new Generator(seed);
    const means = new Float64Array(resamples);
    for (let i = 0; i < resamples; i++) {
      let total = 0;
      let size = 0;
      for (let k = 0; k < sums.length; k++) {
        const drawn = random.below(sums.length);
        total += sums[drawn];
        size += sizes[drawn];
      }
      means[i] = total / size;
      if (i % 50 === 0) await rest();
    }
    means.sort();
    const tail = (1 - confidence) / 2;
    return [quantile(means, tail), quantile(means, 1 - tail)];
  }

  /** Interval of an accuracy: Wilson's where each problem is one trial or nothing varies, else the bootstrap's. */
  async function rateInterval(scores, clusters, settings) {
    const { sums } = byCluster(scores, clusters);
    const trials = sums.length === scores.length && scores.every((score) => score === 0 || score === 1);
    if (trials || spread(scores) === 0 || sums.length === 1) return wilson(mean(scores), sums.length, settings.confidence);
    return bootstrap(scores, clusters, settings);
  }

  async function differenceInterval(differences, clusters, settings) {
    const { sums, sizes } = byCluster(differences, clusters);
    if (spread(Array.from(sums, (total, i) => total / sizes[i])) > 0) return bootstrap(differences, clusters, settings);
    const unseen = wilson(0, sums.length, settings.confidence)[1];
    return [Math.max(-1, mean(differences) - unseen), Math.min(1, mean(differences) + unseen)];
  }

  /** How many clusters differ: those that a sign-flip test draws signs for. */
  const differing = (differences, clusters) => byCluster(differences, clusters).sums.filter((total) => total !== 0).length;

  /** Two-sided p of a mean difference when each cluster's sign is a coin; all patterns of few clusters, else the pipeline's draws. */
  async function signFlip(differences, clusters, resamples, seed) {
    const sums = byCluster(differences, clusters).sums.filter((total) => total !== 0);
    const reached = Math.abs(sum(sums)) - 1e-9 * sum(sums.map(Math.abs));
    if (sums.length <= EXACT_LIMIT) {
      let extreme = 0;
      for (let pattern = 0; pattern < 2 ** sums.length; pattern++) {
        const total = sums.reduce((value, each, i) => value + ((pattern >> i) & 1 ? each : -each), 0);
        extreme += Math.abs(total) >= reached;
      }
      return extreme / 2 ** sums.length;
    }
    const random = new Generator(seed);
    let extreme = 0;
    for (let start = 0; start < resamples; start += BLOCK) {
      const rows = Math.min(BLOCK, resamples - start);
      const coins = random.coins(rows * sums.length);
      for (let row = 0, at = 0; row < rows; row++) {
        let total = 0;
        for (let k = 0; k < sums.length; k++, at++) total += coins[at] ? sums[k] : -sums[k];
        extreme += Math.abs(total) >= reached;
      }
      await rest();
    }
    return (1 + extreme) / (1 + resamples);
  }

  /** Compare two arms on the same problems, by their differences. */
  async function paired(differences, clusters, settings) {
    const [low, high] = await differenceInterval(differences, clusters, settings);
    const p = await signFlip(differences, clusters, settings.resamples, settings.seed + 1);
    return { effect: mean(differences), low, high, p, n: new Set(clusters).size };
  }

  /** Least-squares slope of a problem's scores over equally spaced arms. */
  function slope(scores) {
    const steps = scores.map((_, i) => i - (scores.length - 1) / 2);
    return sum(scores.map((score, i) => score * steps[i])) / sum(steps.map((step) => step * step));
  }

  function welch(first, second, confidence) {
    const effect = mean(first) - mean(second);
    if (spread(first) === 0 && spread(second) === 0) return { effect, low: -1, high: 1, p: 1 };
    const [a, b] = [first, second].map((group) => deviation(group) ** 2 / group.length);
    const df = (a + b) ** 2 / (a ** 2 / (first.length - 1) + b ** 2 / (second.length - 1));
    const half = Special.tQuantile((1 + confidence) / 2, df) * Math.sqrt(a + b);
    return { effect, low: effect - half, high: effect + half, p: Special.tBothTails(effect / Math.sqrt(a + b), df) };
  }

  /** Newcombe's interval of the difference of two rates, of correlation phi (0: independent). */
  function newcombe(rate, n, other, m, confidence, phi = 0) {
    const [[low, high], [below, above]] = [wilson(rate, n, confidence), wilson(other, m, confidence)];
    const reach = (a, b) => Math.sqrt(Math.max(0, a * a - 2 * phi * a * b + b * b));
    return [rate - other - reach(rate - low, above - other), rate - other + reach(high - rate, other - below)];
  }

  function deviationInterval(value, n, confidence) {
    const tail = (1 - confidence) / 2;
    return [1 - tail, tail].map((q) => value * Math.sqrt((n - 1) / Special.chiSquareQuantile(q, n - 1)));
  }

  /** Exact two-sided McNemar p of two arms' 0/1 outcomes. */
  function mcnemar(first, second) {
    const gained = first.filter((value, i) => value === 1 && second[i] === 0).length;
    const lost = first.filter((value, i) => value === 0 && second[i] === 1).length;
    return gained + lost ? Special.fairCoins(Math.min(gained, lost), gained + lost) : 1;
  }

  /** Holm's step-down adjusted p of a family of tests: {name: p} to {name: adjusted}. */
  function holm(values) {
    const names = Object.keys(values).sort((a, b) => values[a] - values[b] || (a < b ? -1 : 1));
    const adjusted = {};
    let floor = 0;
    names.forEach((name, rank) => {
      adjusted[name] = floor = Math.max(floor, Math.min(1, (names.length - rank) * values[name]));
    });
    return adjusted;
  }

  /** CRC-32 of an ASCII text, which seeds an interval by its label. */
  function crc32(text) {
    let value = -1;
    for (const char of new TextEncoder().encode(text)) {
      value ^= char;
      for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
    }
    return ~value >>> 0;
  }

  return {
    mean, deviation, clusterMeans, wilson, bootstrap, rateInterval, differenceInterval, signFlip, paired, slope, welch, newcombe,
    deviationInterval, mcnemar, holm, crc32, differing, EXACT_LIMIT,
  };
})();
