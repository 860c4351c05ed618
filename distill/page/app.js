"use strict";
// The page: reads its data, shows the view that the address names (#problem=2015-fs-07), and listens to the keyboard.

const App = (() => {
  const main = document.getElementById("main");
  const help = document.getElementById("help");
  const keys = document.getElementById("keys");
  let data = null;

  /** The view and its values in an address: the first part names the view. */
  function address() {
    const parts = location.hash.slice(1).split("&").filter(Boolean);
    const values = Object.fromEntries(parts.filter((part) => part.includes("=")).map((part) => [part.slice(0, part.indexOf("=")), decode(part.slice(part.indexOf("=") + 1))]));
    return { name: parts[0]?.split("=")[0] || "overview", values };
  }

  function decode(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text; // an address that somebody mistyped
    }
  }

  const VIEWS = {
    overview: () => Overview.view(data), claims: () => Claims.list(data), claim: (values) => Claims.view(data, values),
    problems: (values) => Problems.list(data, values), problem: (values) => Problems.view(data, values), glossary: (values) => Glossary.view(data, values), data: () => Studies.view(data),
  };
  const PARENTS = { claim: "claims", problem: "problems" };

  function show(moved) {
    const { name, values } = address();
    const view = VIEWS[name] ?? VIEWS.overview;
    main.replaceChildren(...view(values).flat(Infinity).filter(Boolean));
    document.title = `${main.querySelector("h1").textContent}: study ${data.study}`;
    for (const link of document.querySelectorAll("header nav a")) {
      if (link.hash === `#${PARENTS[name] ?? name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (moved) {
      main.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    document.getElementById(values.at ?? `term-${values.term}`)?.scrollIntoView({ block: "center" });
    Plots.draw(data);
  }

  const GO = { o: "overview", c: "claims", b: "problems" };
  const REL = { n: "next", p: "prev" };

  function press(event) {
    if (!keys.checked || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "?") help.showModal();
    else if (event.key in GO) location.hash = GO[event.key];
    else if (event.key in REL) main.querySelector(`nav.steps a[rel=${REL[event.key]}]`)?.click();
    else if (event.key === "/") {
      event.preventDefault();
      if (!document.getElementById("search")) history.pushState(null, "", "#problems");
      if (!document.getElementById("search")) show(false);
      document.getElementById("search").focus();
    }
  }

  async function start() {
    data = Data.index(await Data.unpack(document.getElementById("packed").textContent));
    addEventListener("hashchange", () => show(true));
    addEventListener("keydown", press);
    addEventListener("beforeprint", () => {
      main.querySelectorAll("details").forEach((each) => (each.open = true));
      Plots.drawNow(data);
    });
    document.getElementById("help-open").addEventListener("click", () => help.showModal());
    document.getElementById("help-close").addEventListener("click", () => help.close());
    show(false);
    document.body.dataset.ready = Math.round(performance.now());
  }

  start().catch((error) => {
    main.textContent = `The page could not read its data: ${error}`;
    throw error;
  });

  return { data: () => data };
})();
