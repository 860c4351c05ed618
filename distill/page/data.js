"use strict";
// The page's data: unpacked once, indexed by problem, and what the tests and the filters ask of it.

const Data = (() => {
  const OUTCOMES = ["correct", "wrong", "no_answer", "truncated", "ungradable"]; // distill/page/answers.py
  const ROLES = ["", "seen", "near", "valid", "heldout"];

  /** What an element of the page holds in base64, deflated: a response, for its text(), json() or arrayBuffer(). */
  function inflate(text) {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")));
  }

  /** The document that a page holds. */
  const unpack = (text) => inflate(text).json();

  /** Index a document. */
  function index(document_) {
    const { answers, problems, cells } = document_;
    const arms = [...new Set(cells.map(([arm]) => arm))];
    const armOf = Uint8Array.from(cells, ([arm]) => arms.indexOf(arm));
    const n = answers.problem.length;
    const start = new Uint32Array(problems.length + 1);
    for (const place of answers.problem) start[place + 1] += 1;
    for (let i = 0; i < problems.length; i++) start[i + 1] += start[i];
    const right = Uint8Array.from(answers.outcome, (outcome) => (outcome === 0 ? 1 : 0));
    const role = new Int8Array(problems.length * arms.length).fill(-1); // -1: the arm was not asked
    const asked = new Uint16Array(role.length);
    const correct = new Uint16Array(role.length);
    for (let i = 0; i < n; i++) {
      const at = answers.problem[i] * arms.length + armOf[answers.cell[i]];
      role[at] = answers.role[i];
      asked[at] += 1;
      correct[at] += right[i];
    }
    const places = new Map();
    problems.forEach((problem, i) => {
      for (const key of [`${problem.benchmark}/${problem.id}`, problem.id]) if (!places.has(key)) places.set(key, i);
    });
    let lower = null;
    return Object.assign(document_, {
      answerCount: n, armNames: arms, armOf, start, right,
      /** Share of an arm's answers to a problem that are right; null where it was not asked. */
      score(problem, arm) {
        const at = problem * arms.length + arms.indexOf(arm);
        return asked[at] ? correct[at] / asked[at] : null;
      },
      role: (problem, arm) => ROLES[role[problem * arms.length + arms.indexOf(arm)]] ?? "",
      place: (key, benchmark) => places.get(benchmark ? `${benchmark}/${key}` : key),
      /** Places of the answers to a problem. */
      answersTo: (problem) => Array.from({ length: start[problem + 1] - start[problem] }, (_, i) => start[problem] + i),
      outcome: (answer) => OUTCOMES[answers.outcome[answer]],
      /** Which texts, of answers, contain a text in lower case: one byte a text. */
      textsWith(query) {
        lower ??= answers.texts.map((text) => text.toLowerCase());
        return Uint8Array.from(lower, (text) => (text.includes(query) ? 1 : 0));
      },
    });
  }

  /** An arm's problems on a split of a benchmark, with the mean of a column over its answers to each, in the order of their ids. */
  function byProblem(data, arm, benchmark, split, column = "correct") {
    const found = new Map();
    const where = data.armNames.indexOf(arm);
    const { problem, cell, role } = data.answers;
    const values = column === "correct" ? data.right : data.answers[column];
    for (let i = 0; i < data.answerCount; i++) {
      if (data.armOf[cell[i]] !== where || data.problems[problem[i]].benchmark !== benchmark) continue;
      if (split !== "all" && ROLES[role[i]] !== split) continue;
      const entry = found.get(problem[i]) ?? { total: 0, count: 0 };
      entry.total += values[i];
      entry.count += 1;
      found.set(problem[i], entry);
    }
    return new Map(Array.from(found, ([at, { total, count }]) => [at, total / count]));
  }

  /** The problems that several arms have in common on a split, with each arm's mean and their clusters. */
  function common(data, arms, benchmark, split, column) {
    const parts = arms.map((arm) => byProblem(data, arm, benchmark, split, column));
    const places = [...parts[0].keys()].filter((place) => parts.every((part) => part.has(place)));
    return {
      places,
      values: places.map((place) => parts.map((part) => part.get(place))),
      clusters: places.map((place) => data.problems[place].cluster),
    };
  }

  /** The outcomes of one seed of an arm on a split: place of the problem to 0 or 1; null where a problem has several samples. */
  function ofSeed(data, arm, seed, benchmark, split) {
    const cell = data.cells.findIndex(([name, number]) => name === arm && number === seed);
    const found = new Map();
    for (let i = 0; i < data.answerCount; i++) {
      const at = data.answers.problem[i];
      if (data.answers.cell[i] !== cell || data.problems[at].benchmark !== benchmark) continue;
      if (split !== "all" && ROLES[data.answers.role[i]] !== split) continue;
      if (found.has(at)) return null;
      found.set(at, data.right[i]);
    }
    return found;
  }

  /** What a rule on likelihoods compares on a part: both arms' figures, means over seeds, on the problems that both have. */
  function scored(data, rule, part) {
    const lines = data.likelihoods.filter((line) => line.measure === rule.measure && line.part === part && line.text === (rule.measure === "chain" ? rule.arm : ""));
    const [mine, theirs] = [rule.arm, rule.comparator].map((arm) => {
      const values = new Map();
      for (const line of lines.filter((each) => each.arm === arm)) line.ids.forEach((id, i) => values.set(id, [...(values.get(id) ?? []), line.values[i]]));
      return new Map(Array.from(values, ([id, list]) => [id, Stats.mean(list)]));
    });
    const names = [...mine.keys()].filter((id) => theirs.has(id)).sort();
    const clusters = new Map(lines.flatMap((line) => line.ids.map((id, i) => [id, line.clusters[i]])));
    const values = names.map((id) => [mine.get(id), theirs.get(id)]);
    const benchmark = ["seen", "heldout"].includes(part) ? data.own : part;
    return { names, values, places: names.map((id) => data.place(id, benchmark)), clusters: names.map((id) => clusters.get(id)), differences: values.map(([a, b]) => a - b) };
  }

  const seeds = (data, arm) => data.cells.filter(([name]) => name === arm).map(([, seed]) => seed);

  return { OUTCOMES, ROLES, inflate, unpack, index, byProblem, common, scored, ofSeed, seeds };
})();
