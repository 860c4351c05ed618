"use strict";
// The rules on a paper's printed counts, computed again; each is its namesake in distill/claims/reported_count_rules.py.

const Counts = (() => {
  const rate = ({ right, of }) => right / of;
  const error = (count) => Math.sqrt((rate(count) * (1 - rate(count))) / count.of);
  const quantile = ({ confidence }) => Special.normalQuantile((1 + confidence) / 2);
  const zTest = (effect, off) => (off > 0 ? 2 * Special.normalUpper(Math.abs(effect) / off) : Number(effect === 0));
  const whole = (...counts) => counts.every(({ right }) => Number.isInteger(right)) && counts.every(({ of }) => of === counts[0].of);

  /** Exact McNemar's largest p, and the widest interval, over every table with these margins. */
  function pairings(arm, other, settings) {
    const n = arm.of;
    const found = { low: Infinity, high: -Infinity, p: 0 };
    for (let lost = Math.max(0, other.right - arm.right); lost <= Math.min(other.right, n - arm.right); lost++) {
      const gained = lost + arm.right - other.right;
      const scale = Math.sqrt(arm.right * (n - arm.right) * other.right * (n - other.right));
      const phi = scale ? ((arm.right - gained) * (n - arm.right - lost) - gained * lost) / scale : 0;
      const [low, high] = Stats.newcombe(rate(arm), n, rate(other), n, settings.confidence, phi);
      found.low = Math.min(found.low, low);
      found.high = Math.max(found.high, high);
      found.p = Math.max(found.p, Special.fairCoins(Math.min(lost, gained), lost + gained));
    }
    return found;
  }

  function gain(counts, rule, settings) {
    const [arm, other] = [counts[rule.arm], counts[rule.comparator]];
    const effect = rate(arm) - rate(other);
    const wide = error(arm) + error(other);
    const half = quantile(settings) * wide;
    const found = whole(arm, other) ? pairings(arm, other, settings) : { low: effect - half, high: effect + half, p: zTest(effect, wide) };
    return { ours: effect, effect, ...found, n: Math.min(arm.of, other.of) };
  }

  function fall(counts, rule, settings) {
    const all = rule.arms.map((name) => counts[name]);
    const weights = all.map((_, i) => i - (all.length - 1) / 2);
    const squares = weights.reduce((total, weight) => total + weight * weight, 0);
    const slope = all.reduce((total, count, i) => total + (rate(count) * weights[i]) / squares, 0);
    const wide = all.reduce((total, count, i) => total + (error(count) * Math.abs(weights[i])) / squares, 0);
    const half = quantile(settings) * wide;
    return { ours: rate(all.at(-1)) - rate(all[0]), effect: slope, low: slope - half, high: slope + half, p: zTest(slope, wide), n: Math.min(...all.map(({ of }) => of)) };
  }

  function loss(counts, rule, settings) {
    const ends = Object.fromEntries(Object.entries(rule.sections).map(([name, keys]) => [name, keys.slice(0, 2).map((key) => counts[key])]));
    const lost = ([first, last]) => rate(first) - rate(last);
    const wide = ([first, last]) => error(first) + error(last);
    const mine = ends[rule.section];
    const tests = Object.keys(ends).filter((name) => name !== rule.section).map((name) => ({ name, gap: lost(mine) - lost(ends[name]), off: Math.hypot(wide(mine), wide(ends[name])) }));
    const closest = tests.reduce((a, b) => (b.gap < a.gap || (b.gap === a.gap && b.name < a.name) ? b : a));
    const tested = closest.gap > 0 ? tests : [closest];
    const half = quantile(settings) * closest.off;
    const n = [rule.section, closest.name].reduce((total, name) => total + Math.min(...ends[name].map(({ of }) => of)), 0);
    return { ours: closest.gap, effect: closest.gap, low: closest.gap - half, high: closest.gap + half, p: Math.max(...tested.map(({ gap, off }) => zTest(gap, off))), n };
  }

  function spread(counts, { sd, seeds, gain: points }, settings) {
    const [low, high] = Stats.deviationInterval(Number(sd), seeds, settings.confidence).map((end) => end / points);
    return { ours: Number(sd) / points, effect: Number(sd) / points, low, high, n: seeds };
  }

  function curve(counts, { losses }) {
    const sorted = [...losses].sort(([a], [b]) => a - b);
    const ratio = sorted.at(-1)[1] / Math.min(...sorted.map(([, value]) => value));
    return { ours: ratio, effect: ratio - 1, n: sorted.length };
  }

  function unseen(counts, { arm, comparator, seen }) {
    const asked = counts[arm].of - seen;
    const [[low, high], [least, most]] = [arm, comparator].map((name) => [Math.max(0, counts[name].right - seen) / asked, Math.min(counts[name].right, asked) / asked]);
    return { low: low - most, high: high - least, n: asked };
  }

  const oneFile = (counts, { count }) => ({ ours: rate(counts[count]), n: counts[count].of });

  const KINDS = { gain, fall, loss, spread, curve, unseen, one_file: oneFile };

  return { KINDS, measure: (counts, rule, settings) => KINDS[rule.kind](counts, rule, settings) };
})();
