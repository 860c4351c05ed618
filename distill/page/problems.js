"use strict";
// The problems: filters over all answers, a sortable list, and one problem with what every arm answered.

const Problems = (() => {
  const { h, link, percent, points, table, plain, pieces } = Dom;
  const MARKS = { correct: "✓", wrong: "✗", no_answer: "∅", truncated: "…", ungradable: "?" };
  const words = (outcome) => outcome.replace("_", " ");
  const CHANGES = { fixed: "fixed: mostly missed, then mostly solved", broken: "broken: mostly solved, then mostly missed", better: "higher share solved", worse: "lower share solved", same: "same share solved" };
  const EMPTY = { q: "", answers: "1", arm: "", with: "", change: "", outcome: "", benchmark: "", section: "", year: "", role: "", disagree: "" };

  /** The values of a filter, with what a hash leaves out. */
  function complete(data, values) {
    const arm = data.armNames.includes(values.arm) ? values.arm : data.armNames.find((name) => name !== "base") ?? data.armNames[0];
    const other = data.armNames.includes(values.with) ? values.with : data.armNames.includes("base") ? "base" : data.armNames[0];
    return { ...EMPTY, ...values, arm, with: other };
  }

  function changed(kind, mine, theirs) {
    if (mine === null || theirs === null) return false;
    if (kind === "fixed") return mine > 0.5 && theirs < 0.5;
    if (kind === "broken") return mine < 0.5 && theirs > 0.5;
    return kind === "better" ? mine > theirs : kind === "worse" ? mine < theirs : mine === theirs;
  }

  /** Places of the problems that a filter lets through, each with the number of its answers that match. */
  function matching(data, values) {
    const filter = complete(data, values);
    const { answers, problems } = data;
    const query = filter.q.trim().toLowerCase();
    const inTexts = query && filter.answers === "1" ? data.textsWith(query) : null;
    const arm = data.armNames.indexOf(filter.arm);
    const outcome = filter.outcome ? Data.OUTCOMES.indexOf(filter.outcome) : -1;
    const disagree = filter.disagree ? disagreeing(data) : null;
    const found = [];
    for (let place = 0; place < problems.length; place++) {
      const problem = problems[place];
      if (filter.benchmark && problem.benchmark !== filter.benchmark) continue;
      if (filter.section && problem.section !== filter.section) continue;
      if (filter.year && String(problem.year) !== filter.year) continue;
      if (filter.role && data.role(place, filter.arm) !== filter.role) continue;
      if (filter.change && !changed(filter.change, data.score(place, filter.arm), data.score(place, filter.with))) continue;
      const named = !query || [problem.id, problem.statement, problem.gold].some((text) => text.toLowerCase().includes(query));
      let count = 0;
      for (let i = data.start[place]; i < data.start[place + 1]; i++) {
        if (outcome >= 0 && (answers.outcome[i] !== outcome || data.armOf[answers.cell[i]] !== arm)) continue;
        if (disagree && !disagree[i]) continue;
        if (named || (inTexts && answers.text[i] >= 0 && inTexts[answers.text[i]])) count++;
      }
      if (count) found.push({ place, count });
    }
    return found;
  }

  /** Answers that a further reading judges otherwise: one byte an answer. */
  function disagreeing(data) {
    if (!data.disagreeing) {
      data.disagreeing = new Uint8Array(data.answerCount);
      for (const said of Object.values(data.answers.graders)) for (const i of Object.keys(said)) data.disagreeing[i] = 1;
    }
    return data.disagreeing;
  }

  const count = (data, values) => matching(data, values).length;

  function list(data, values) {
    const filter = complete(data, values);
    const result = h("div", { id: "found" });
    const status = h("p", { role: "status", id: "count" });
    const show = () => {
      const started = performance.now();
      const found = matching(data, filter);
      draw(data, filter, found, result);
      const total = found.reduce((sum, row) => sum + row.count, 0);
      status.textContent = `${found.length.toLocaleString("en")} of ${data.problems.length.toLocaleString("en")} problems, ${total.toLocaleString("en")} of ${data.answerCount.toLocaleString("en")} answers`;
      status.dataset.ms = (performance.now() - started).toFixed(1);
    };
    const change = (event) => {
      const { name, type, checked, value } = event.target;
      filter[name] = type === "checkbox" ? (checked ? "1" : name === "answers" ? "0" : "") : value;
      history.replaceState(null, "", `#${Dom.hash("problems", short(filter))}`);
      show();
    };
    show();
    return [h("h1", {}, "Problems"), form(data, filter, change), status, result];
  }

  const short = (filter) => Object.fromEntries(Object.entries(filter).filter(([key, value]) => value !== EMPTY[key]));

  function form(data, filter, change) {
    const values = (key) => [...new Set(data.problems.map((problem) => problem[key]))].filter(Boolean).sort();
    const choice = (name, label, options, any = "any") => options.length > 0 && h("label", {}, label, h("select", { name }, [
      any && h("option", { value: "" }, any), ...options.map((option) => {
        const [value, text] = Array.isArray(option) ? option : [String(option), String(option)];
        return h("option", { value, selected: filter[name] === value }, text);
      })]));
    const roles = Data.ROLES.slice(1).filter((role) => data.problems.some((_, place) => data.role(place, filter.arm) === role));
    const names = { seen: "trained on", heldout: "held out", near: "near-duplicate", valid: "validation" };
    const outcomes = Data.OUTCOMES.filter((_, i) => data.answers.outcome.includes(i));
    return h("form", { class: "filters", role: "search", input: change, submit: (event) => event.preventDefault() },
      h("label", { class: "wide" }, "Search", h("input", { type: "search", name: "q", value: filter.q, id: "search", autocomplete: "off", spellcheck: "false" })),
      h("label", { class: "check" }, h("input", { type: "checkbox", name: "answers", checked: filter.answers === "1" }), "also in the answers"),
      choice("arm", "Arm", data.armNames, ""), choice("with", "compared with", data.armNames, ""), choice("change", "Change", Object.entries(CHANGES)),
      choice("outcome", "Outcome of the arm", outcomes.map((each) => [each, words(each)])), choice("role", "Problem is, for the arm", roles.map((role) => [role, names[role]])),
      values("benchmark").length > 1 && choice("benchmark", "Benchmark", values("benchmark")), choice("section", "Section", values("section")), choice("year", "Year", values("year")),
      Object.keys(data.answers.graders).length > 0 && h("label", { class: "check" }, h("input", { type: "checkbox", name: "disagree", checked: filter.disagree === "1" }), "graders disagree"),
      h("a", { href: "#problems", class: "reset" }, "Clear all filters"));
  }

  function draw(data, filter, found, result) {
    const of = (row) => data.problems[row.place];
    const [mine, theirs] = [filter.arm, filter.with].map((arm) => (row) => data.score(row.place, arm));
    const difference = (row) => (mine(row) === null || theirs(row) === null ? null : mine(row) - theirs(row));
    const context = { arm: filter.arm, with: filter.with };
    result.replaceChildren(table({ caption: "Problems that match; a problem's share is that of its right answers, over seeds", rows: found, most: 60, columns: [
      { label: "problem", value: (row) => of(row).id, cell: (row) => link("problem", { problem: of(row).id, in: of(row).benchmark, ...context }, of(row).id) },
      { label: "statement", value: (row) => of(row).statement, cell: (row) => h("span", { class: "statement" }, pieces(of(row).pieces)) },
      { label: "set", value: (row) => set(data, row.place, filter.arm) },
      { label: "gold", value: (row) => of(row).gold, cell: (row) => pieces(of(row).gold_pieces) },
      { label: filter.with, numeric: true, value: theirs, cell: (row) => percent(theirs(row)) },
      { label: filter.arm === filter.with ? `${filter.arm} ` : filter.arm, numeric: true, value: mine, cell: (row) => percent(mine(row)) },
      { label: "change, points", numeric: true, value: difference, cell: (row) => points(difference(row)) },
      { label: "answers", numeric: true, value: (row) => row.count },
    ] }));
  }

  /** The set that a problem is of, for an arm. */
  const set = (data, place, arm) => (data.problems[place].benchmark === data.own ? Overview.SPLIT_NAMES[data.role(place, arm)] ?? "" : data.problems[place].benchmark);

  function view(data, values) {
    const place = data.place(values.problem, values.in);
    if (place === undefined) return [h("h1", {}, "No such problem"), h("p", {}, `There is no problem ${values.problem} in this study. `, link("problems", {}, "All problems"))];
    const problem = data.problems[place];
    const filter = complete(data, values);
    const near = (at, rel, text) => data.problems[at] && link("problem", { problem: data.problems[at].id, in: data.problems[at].benchmark, arm: filter.arm, with: filter.with }, text(data.problems[at].id), { rel });
    const facts = {
      "gold answer": pieces(problem.gold_pieces), benchmark: problem.benchmark, section: problem.section, year: problem.year || "", number: problem.number,
      "printed in": problem.source && `${problem.source}${problem.page ? `, page ${problem.page}` : ""}`, "read by": problem.reader,
      [`for ${filter.arm}`]: Overview.SPLIT_NAMES[data.role(place, filter.arm)] ?? data.role(place, filter.arm),
    };
    const first = [...new Set([filter.with, filter.arm])];
    const others = data.armNames.filter((arm) => !first.includes(arm) && data.score(place, arm) !== null);
    return [
      h("nav", { class: "steps", "aria-label": "Problems" }, near(place - 1, "prev", (id) => `← ${id}`), near(place + 1, "next", (id) => `${id} →`)),
      h("h1", {}, `Problem ${problem.id}`),
      h("p", { class: "problem", dir: "auto" }, pieces(problem.pieces)),
      Crops.view(data, place),
      h("dl", { class: "facts" }, Object.entries(facts).filter(([, value]) => value && value.length !== 0).map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", { dir: "auto" }, value)))),
      grid(data, place),
      h("div", { class: "pair" }, first.filter((arm) => data.score(place, arm) !== null).map((arm) => h("section", { "aria-label": `Answers of ${arm}` }, h("h2", {}, arm), texts(data, place, arm)))),
      others.length > 0 && h("h2", {}, "The other arms"),
      others.map((arm) => h("details", {}, h("summary", {}, `${arm}: ${percent(data.score(place, arm))} right`), texts(data, place, arm))),
    ];
  }

  /** One row an arm, one mark an answer. */
  function grid(data, place) {
    const rows = data.armNames.filter((arm) => data.score(place, arm) !== null).map((arm) => ({ arm, own: data.answersTo(place).filter((i) => data.armNames[data.armOf[data.answers.cell[i]]] === arm) }));
    return table({ caption: "Outcome of every answer, by seed", rows, most: rows.length, columns: [
      { label: "arm", value: (row) => row.arm },
      { label: "right", numeric: true, value: (row) => data.score(place, row.arm), cell: (row) => percent(data.score(place, row.arm)) },
      { label: "answers", value: (row) => row.own.map(data.outcome).join(), cell: (row) => row.own.map((i) => mark(data, i)) },
      { label: "final answers found", value: (row) => data.answers.extracts[data.answers.extracted[row.own[0]]], cell: (row) => plain([...new Set(row.own.map((i) => data.answers.extracts[data.answers.extracted[i]] || "none"))].join(" · ")) },
    ] });
  }

  function mark(data, i) {
    const outcome = data.outcome(i);
    const [, seed] = data.cells[data.answers.cell[i]];
    const says = `${seed ? `seed ${seed}: ` : ""}${words(outcome)}`;
    return h("span", { class: `mark ${outcome}`, role: "img", title: says, "aria-label": says }, MARKS[outcome]);
  }

  /** What an arm wrote: each distinct text once, with the seeds that wrote it. */
  function texts(data, place, arm) {
    const groups = new Map();
    for (const i of data.answersTo(place).filter((each) => data.armNames[data.armOf[data.answers.cell[each]]] === arm)) {
      const key = `${data.answers.text[i]}/${data.answers.outcome[i]}/${data.answers.extracted[i]}`;
      groups.set(key, [...(groups.get(key) ?? []), i]);
    }
    return [...groups.values()].map((own) => {
      const [first] = own;
      const { text, extracted, words: length, tokens, graders } = data.answers;
      const seeds = [...new Set(own.map((i) => data.cells[data.answers.cell[i]][1]))].filter(Boolean);
      const others = Object.entries(graders).filter(([, said]) => first in said).map(([name, said]) => `${name}: ${words(said[first])}`);
      return h("article", { class: "answer" },
        h("p", {}, mark(data, first), ` ${words(data.outcome(first))}`, seeds.length > 0 && `, seed${seeds.length > 1 ? "s" : ""} ${seeds.join(", ")}`,
          ", final answer ", h("code", { dir: "auto" }, plain(data.answers.extracts[extracted[first]]) || "none"), `, ${length[first]} words${tokens[first] ? `, ${tokens[first]} tokens` : ""}`,
          others.length > 0 && `; ${others.join("; ")}`),
        text[first] < 0 ? h("p", { class: "absent" }, "The page does not hold this text.") : h("pre", { dir: "auto", tabindex: "0" }, plain(data.answers.texts[text[first]])));
    });
  }

  return { list, view, count, matching };
})();
