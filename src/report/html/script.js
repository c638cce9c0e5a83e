"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, text, parent) => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };

  // Tables: a click on a head sorts, a word filters.
  const number = (text) => (text === "inf" ? Infinity : text === "" || text === "NaN" ? NaN : Number(text));
  const order = (a, b) => {
    const [x, y] = [number(a), number(b)];
    if (Number.isNaN(x) !== Number.isNaN(y) && (a === "" || b === "")) return Number.isNaN(x) ? -1 : 1;
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  for (const table of all("table.sorts")) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    all("th", table).forEach((head, column) => {
      const button = make("button", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const sign = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
        all("th", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        const keyed = rows.map((row, i) => [row.cells[column].textContent, i, row]);
        keyed.sort((a, b) => sign * order(a[0], b[0]) || a[1] - b[1]);
        body.append(...keyed.map((entry) => entry[2]));
      });
    });
    const tools = document.getElementById(table.dataset.tools);
    if (!tools) continue;
    tools.hidden = false;
    const input = make("input", "", tools);
    input.type = "search";
    input.placeholder = "filter rows";
    input.setAttribute("aria-label", "filter rows");
    const count = make("span", rows.length + " rows", tools);
    const texts = rows.map((row) => row.textContent.toLowerCase());
    input.addEventListener("input", () => {
      const word = input.value.toLowerCase();
      let shown = 0;
      rows.forEach((row, i) => {
        row.hidden = !texts[i].includes(word);
        shown += row.hidden ? 0 : 1;
      });
      count.textContent = shown + " of " + rows.length + " rows";
    });
  }

  // Graphs: the wheel zooms, dragging moves, a click shows, a word finds.
  const graphs = all("svg.graph").map((svg) => {
    const whole = svg.getAttribute("viewBox").split(" ").map(Number);
    const view = { svg, whole, box: [...whole] };
    const put = () => svg.setAttribute("viewBox", view.box.join(" "));
    view.zoom = (factor, x = view.box[0] + view.box[2] / 2, y = view.box[1] + view.box[3] / 2) => {
      const [left, top, width, height] = view.box;
      view.box = [x - (x - left) * factor, y - (y - top) * factor, width * factor, height * factor];
      put();
    };
    view.fit = () => { view.box = [...whole]; put(); };
    // A node is drawn around its place: nothing has to be laid out to know it.
    view.show = (node) => {
      const [x, y] = node.getAttribute("transform").match(/-?\d+/g).map(Number);
      const width = Math.min(whole[2], 900), height = Math.min(whole[3], 600);
      view.box = [x - width / 2, y - height / 2, width, height];
      put();
    };
    const point = (event) => {
      const at = svg.getScreenCTM().inverse();
      return new DOMPoint(event.clientX, event.clientY).matrixTransform(at);
    };
    svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = point(event);
      view.zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, x, y);
    }, { passive: false });
    let from = null, moved = false;
    svg.addEventListener("pointerdown", (event) => { from = point(event); moved = false; });
    window.addEventListener("pointerup", () => { from = null; });
    svg.addEventListener("pointermove", (event) => {
      if (!from) return;
      const to = point(event);
      if (Math.hypot(to.x - from.x, to.y - from.y) > view.box[2] / 300) moved = true;
      view.box[0] += from.x - to.x;
      view.box[1] += from.y - to.y;
      put();
    });
    svg.addEventListener("click", (event) => {
      const node = event.target.closest("a,g.n");
      if (!node) return;
      event.preventDefault();
      if (!moved) select(node.getAttribute("href"), node);
    });
    return view;
  });

  const nodes = all("svg.graph a");
  const byTarget = new Map();
  for (const node of nodes) {
    const target = node.getAttribute("href");
    byTarget.set(target, [...(byTarget.get(target) || []), node]);
  }
  const detail = document.getElementById("detail");
  let marked = [], at = null;
  const select = (target, node) => {
    if (at) at.classList.remove("at");
    marked.forEach((other) => other.classList.remove("hit"));
    const row = target && document.getElementById(target.slice(1));
    marked = byTarget.get(target) || [node];
    marked.forEach((own) => own.classList.add("hit"));
    at = row;
    if (!detail) return;
    detail.replaceChildren();
    if (!row) {
      make("p", node.textContent + ": nothing of it was compared", detail);
      return;
    }
    row.classList.add("at");
    const list = make("dl", "", detail);
    all("th", row.closest("table")).forEach((head, i) => {
      if (!row.cells[i].textContent) return;
      make("dt", head.textContent, list);
      make("dd", row.cells[i].textContent, list);
    });
    const link = make("a", "its row", detail);
    link.href = target;
  };

  const tools = document.getElementById("graph-tools");
  if (tools) {
    tools.hidden = false;
    const button = (text, run) => {
      const element = make("button", text, tools);
      element.type = "button";
      element.addEventListener("click", run);
    };
    button("+", () => graphs.forEach((g) => g.zoom(1 / 1.4)));
    button("−", () => graphs.forEach((g) => g.zoom(1.4)));
    button("whole", () => graphs.forEach((g) => g.fit()));
    const find = make("input", "", tools);
    find.type = "search";
    find.id = "find";
    find.placeholder = "find a node";
    find.setAttribute("aria-label", "find a node");
    const said = make("span", "", tools);
    const texts = nodes.map((node) => {
      const row = document.getElementById(node.getAttribute("href").slice(1));
      return ((row ? row.textContent : "") + " " + node.textContent).toLowerCase();
    });
    let found = [];
    find.addEventListener("input", () => {
      const word = find.value.toLowerCase();
      found.forEach((node) => node.classList.remove("found"));
      const hits = word ? nodes.filter((_, i) => texts[i].includes(word)) : [];
      found = hits.slice(0, 1000);
      found.forEach((node) => node.classList.add("found"));
      said.textContent = word ? hits.length + " nodes" : "";
      const first = hits[0];
      if (first) {
        graphs.find((g) => g.svg.contains(first)).show(first);
        select(first.getAttribute("href"), first);
      }
    });
  }

  // What is folded is printed too.
  window.addEventListener("beforeprint", () => all("details").forEach((d) => { d.open = true; }));
})();
