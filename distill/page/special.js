"use strict";
// The distributions that the tests use, each by a convergent series or continued fraction; a quantile is found by bisection.

const Special = (() => {
  const LANCZOS = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];

  function logGamma(x) {
    if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
    const t = x + 6.5;
    const sum = LANCZOS.reduce((total, c, i) => (i ? total + c / (x - 1 + i) : c), 0);
    return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
  }

  /** Upper regularised incomplete gamma function Q(a, x). */
  function gammaUpper(a, x) {
    if (x <= 0) return 1;
    const front = Math.exp(a * Math.log(x) - x - logGamma(a));
    if (x < a + 1) {
      let term = 1 / a;
      let sum = term;
      for (let n = 1; Math.abs(term) > sum * 1e-17 && n < 10000; n++) sum += term *= x / (a + n);
      return 1 - front * sum;
    }
    let b = x + 1 - a;
    let c = 1e300;
    let d = 1 / b;
    let h = d;
    for (let i = 1; i < 10000; i++) {
      const an = -i * (i - a);
      b += 2;
      d = 1 / (an * d + b || 1e-300);
      c = b + an / c || 1e-300;
      h *= d * c;
      if (Math.abs(d * c - 1) < 1e-16) break;
    }
    return front * h;
  }

  /** Regularised incomplete beta function I_x(a, b), by Lentz's continued fraction. */
  function beta(x, a, b) {
    if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
    if (x > (a + 1) / (a + b + 2)) return 1 - beta(1 - x, b, a);
    const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
    let c = 1;
    let d = 1 / (1 - ((a + b) * x) / (a + 1) || 1e-300);
    let h = d;
    for (let m = 1; m < 10000; m++) {
      const steps = [(m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)), (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))];
      let last = 1;
      for (const step of steps) {
        d = 1 / (1 + step * d || 1e-300);
        c = 1 + step / c || 1e-300;
        last = d * c;
        h *= last;
      }
      if (Math.abs(last - 1) < 1e-16) break;
    }
    return front * h;
  }

  /** The x at which a rising function reaches a value. */
  function invert(rising, value, low, high) {
    for (let i = 0; i < 400; i++) {
      const middle = (low + high) / 2;
      if (middle === low || middle === high) break;
      if (rising(middle) < value) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }

  const normalUpper = (z) => (z < 0 ? 1 - normalUpper(-z) : gammaUpper(0.5, (z * z) / 2) / 2);
  const normalQuantile = (p) => (p < 0.5 ? -normalQuantile(1 - p) : invert((z) => -normalUpper(z), p - 1, 0, 40));
  const tBothTails = (t, df) => beta(df / (df + t * t), df / 2, 0.5); // P(|T| > |t|)
  const tQuantile = (p, df) => invert((t) => 1 - tBothTails(t, df) / 2, p, 0, 1e6); // of p >= 1/2
  const chiSquareQuantile = (p, df) => invert((x) => 1 - gammaUpper(df / 2, x / 2), p, 0, 1e6);

  /** Exact two-sided p of `few` successes among n fair coins, `few` at most n / 2. */
  function fairCoins(few, n) {
    let sum = 0;
    for (let k = 0; k <= few; k++) sum += Math.exp(logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1) - n * Math.LN2);
    return Math.min(1, 2 * sum);
  }

  return { normalUpper, normalQuantile, tBothTails, tQuantile, chiSquareQuantile, fairCoins };
})();
