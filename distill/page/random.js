"use strict";
// The generator of the pipeline's tests, numpy.random.default_rng(seed): SeedSequence, then PCG64 (XSL-RR 128/64), then Lemire's
// bounded integers. The same seed gives the same draws, so that a p and an interval can be compared to the last digit.

const Generator = (() => {
  // The multiplier 0x2360ed051fc65da44385df649fccf645 of the 128-bit step, in eight parts of 16 bits, the lowest first.
  const [M0, M1, M2, M3, M4, M5, M6, M7] = [0xf645, 0x9fcc, 0xdf64, 0x4385, 0x5da4, 0x1fc6, 0xed05, 0x2360];

  /** A number of 128 bits as four words, the lowest first. */
  const split = (value) => Uint32Array.from({ length: 4 }, (_, i) => Number((value >> BigInt(32 * i)) & 0xffffffffn));

  /** The 32-bit words that numpy's SeedSequence(seed) makes. */
  function seedWords(seed, count) {
    const entropy = [];
    for (let rest = BigInt(seed); rest > 0n || !entropy.length; rest >>= 32n) entropy.push(Number(rest & 0xffffffffn));
    let constant = 0x43b0d7e5;
    const hash = (value) => {
      value ^= constant;
      constant = Math.imul(constant, 0x931e8875);
      value = Math.imul(value, constant);
      return value ^ (value >>> 16);
    };
    const mix = (x, y) => {
      const value = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) | 0;
      return value ^ (value >>> 16);
    };
    const pool = [0, 1, 2, 3].map((i) => hash(entropy[i] ?? 0));
    for (let from = 0; from < 4; from++) for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
    for (const word of entropy.slice(4)) for (let to = 0; to < 4; to++) pool[to] = mix(pool[to], hash(word));
    constant = 0x8b51f9dd;
    return Array.from({ length: count }, (_, i) => {
      let value = pool[i % 4] ^ constant;
      constant = Math.imul(constant, 0x58f38ded);
      value = Math.imul(value, constant);
      return (value ^ (value >>> 16)) >>> 0;
    });
  }

  return class {
    constructor(seed) {
      const words = seedWords(seed, 8).map(BigInt);
      const wide = (i) => (words[i + 1] << 32n) | words[i];
      const all = (1n << 128n) - 1n;
      const increment = ((((wide(4) << 64n) | wide(6)) << 1n) | 1n) & all;
      this.increment = split(increment);
      this.state = split((((wide(0) << 64n) | wide(2)) + increment) & all); // the step from 0 is the increment
      this.kept = -1; // the upper half of the last 64 bits, not yet drawn
      this.step();
    }

    /** state = state * multiplier + increment; products of 32 and 16 bits, four of them added, are exact in a double. */
    step() {
      const { state, increment } = this;
      const a = state[0], b = state[1], c = state[2], d = state[3]; // unpacking an array by its iterator would take twice as long
      let carry = this.put(0, a * M0 + increment[0], a * M1);
      carry = this.put(1, a * M2 + b * M0 + increment[1] + carry, a * M3 + b * M1);
      carry = this.put(2, a * M4 + b * M2 + c * M0 + increment[2] + carry, a * M5 + b * M3 + c * M1);
      this.put(3, a * M6 + b * M4 + c * M2 + d * M0 + increment[3] + carry, a * M7 + b * M5 + c * M3 + d * M1);
    }

    /** Set a word to low + 65536 * high, and return what goes beyond it. */
    put(word, low, high) {
      const over = Math.floor(low / 65536);
      const upper = high + over;
      const carry = Math.floor(upper / 65536);
      this.state[word] = (upper - carry * 65536) * 65536 + (low - over * 65536);
      return carry;
    }

    /** Return 32 random bits: the lower half of 64, then the upper. */
    next32() {
      if (this.kept >= 0) {
        const value = this.kept;
        this.kept = -1;
        return value;
      }
      this.step();
      const s = this.state;
      const turn = s[3] >>> 26; // 64 bits, the halves xored, turned right by the top six bits
      const swap = turn >= 32;
      const high = swap ? s[2] ^ s[0] : s[3] ^ s[1];
      const low = swap ? s[3] ^ s[1] : s[2] ^ s[0];
      const by = turn & 31;
      this.kept = by ? ((high >>> by) | (low << (32 - by))) >>> 0 : high >>> 0;
      return by ? ((low >>> by) | (high << (32 - by))) >>> 0 : low >>> 0;
    }

    /** Return a whole number in 0..n-1, as `integers(0, n)`. */
    below(n) {
      for (;;) {
        const product = this.next32() * n; // exact below 2**53
        const drawn = Math.floor(product / 4294967296);
        const rest = product - drawn * 4294967296;
        if (rest >= n || rest >= (4294967296 - n) % n) return drawn;
      }
    }

    /** Return coins, 0 or 1, as one call of `integers(0, 2, count, dtype=int8)`: four bytes of each draw, the top bit of each. */
    coins(count) {
      const found = new Uint8Array(count);
      for (let i = 0, word = 0; i < count; i++, word >>>= 8) {
        if (i % 4 === 0) word = this.next32();
        found[i] = (word >>> 7) & 1;
      }
      return found;
    }
  };
})();
