"use strict";
(async () => {
  const data = JSON.parse(await page.unpack("data"));
  const { columns, studies, figures } = data;
  const size = columns.number.length;
  const several = studies.length > 1;
  const escape = (text) =>
    String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const $ = (id) => document.getElementById(id);

  /* Numbers, as architecture/description.py writes them. */
  function short(value) {
    for (const [unit, name] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
      if (Math.abs(value) >= unit * 0.9995) return Number((value / unit).toPrecision(3)) + name;
    }
    return String(Number(value.toPrecision(3)));
  }
  function binary(value) {
    for (const [unit, name] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
      if (Math.abs(value) >= unit * 0.99995) return `${precise(value / unit)} ${name}`;
    }
    return `${precise(value)} bytes`;
  }
  const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  const fixed = (digits) => (value) => value.toFixed(digits);
  const precise = (value) => String(Number(value.toPrecision(4)));

  /* Metrics, the main one first. */
  const main = data.metrics[0].name;
  const scored = new Set(data.metrics.filter((metric) => metric.scored).map((metric) => metric.name));
  const FORMATS = { share: fixed(4), nats: fixed(4), ms: precise, bytes: binary };
  const written = ({ unit }, value) => `${(FORMATS[unit] ?? short)(value)}${unit === "ms" ? " ms" : ""}`;
  function timed(i, name) {
    const how = studies[columns.study[i]].timed[name];
    return how ? ` (${how})` : "";
  }

  /* A network: from a point, a row of the table, or its number in the address. */
  const drawn = data.drawings.filter(Boolean).length.toLocaleString("en");
  const network = (i) =>
    data.drawings[i] || `<p class="note">${data.drawings[i] === ""
      ? `Only the ${drawn} best networks are drawn here: neptune-nas draw STUDY --trial ${columns.number[i]} draws this one.`
      : "This network cannot be drawn."}</p>`;
  function command(i) {
    const words = studies[columns.study[i]].next.map((word) =>
      word.startsWith("-") ? word.replace("{}", columns.number[i]) : word);
    return words.map((word) => `<span>${escape(word)}</span>`).join(" ");
  }
  function interval(i) {
    const score = columns[main][i], half = columns[`${main}_half_width`][i];
    return half === null ? null : [Math.max(score - half, 0), Math.min(score + half, 1)];
  }
  function show(i) {
    const facts = data.metrics
      .filter(({ name, column, always }) => name !== main && columns[column][i] !== null && (always || !scored.has(name)))
      .map((metric) => [`${metric.title}${timed(i, metric.name)}`, written(metric, columns[metric.column][i])]);
    facts.push(["state", columns.state[i]]);
    for (const [rung, value] of data.scores[i]) facts.push([`after ${rung}`, value.toFixed(4)]);
    if (columns.failure[i]) facts.push(["failure", columns.failure[i]]);
    const score = columns[main][i];
    const of = several ? `, ${studies[columns.study[i]].name}` : "";
    $("network-body").innerHTML =
      `<h2 id="network-title">Trial ${columns.number[i]}${escape(of)}</h2>` +
      (score === null ? "" : `<p class="big">${(100 * score).toFixed(2)}%<small>validation ${escape(data.metrics[0].title)}</small></p>`) +
      (columns.interval[i] ? `<p class="interval">${columns.interval[i]}</p>` : "") +
      `<dl class="costs">${facts.map(([k, v]) => `<dt>${escape(k)}</dt><dd>${escape(v)}</dd>`).join("")}</dl>` +
      network(i) +
      `<div class="command"><code>${command(i)}</code><button type="button" data-copy>Copy</button></div>`;
    $("network").showModal();
  }
  $("network").addEventListener("click", (event) => {
    if (event.target === $("network")) $("network").close();
  });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    } catch {
      getSelection().selectAllChildren(code);
    }
  });

  /* The table. */
  const repeated = columns[`${main}_half_width`].some((half) => half !== null);
  const brackets = repeated ? " [95% between seeds]" : "";
  const shown = [
    ["place", "place", String],
    ["study", "study", (index) => studies[index].name, "text"],
    ["number", "trial", String],
    ...data.metrics.filter(({ always }) => always).map(({ name, column, title, unit }) =>
      [column, unit === "ms" ? unit : title + (name === main ? brackets : ""), FORMATS[unit] ?? short]),
    ["efficiency", `efficiency/${data.unit}`, precise],
    [`${main}_per_gflop`, `${data.metrics[0].title}/GFLOP`, precise],
    ["value", data.ranking, precise],
    ["tied_group", "tied", String],
    ["state", "state", String, "text"],
    ["architecture", "architecture", String, "text architecture"],
  ].filter(([name]) => worthShowing(name));
  function worthShowing(name) {
    if (name === "study") return several;
    if (name === "value") return data.ranking !== "efficiency" && !data.metrics.some((m) => m.always && m.name === data.ranking);
    return ["place", "state"].includes(name) || columns[name].some((value) => value !== null);
  }

  const PAGE = 25;
  const UNITS = { k: 1e3, m: 1e6, g: 1e9, t: 1e12, kb: 1e3, mb: 1e6, gb: 1e9, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };
  const ALIASES = { trial: "number", acc: main, ...Object.fromEntries(data.metrics.map((m) => [m.name, m.column])) };
  const view = { sort: "place", descending: false, page: 0, rows: [], brush: null };

  function condition(word) {
    const match = /^([a-z_]+)(<=|>=|<|>|=)(-?[\d.]+(?:e[-+]?\d+)?)(%|[kmgt]|[kmg]i?b)?$/i.exec(word);
    const name = match && (ALIASES[match[1].toLowerCase()] ?? match[1].toLowerCase());
    if (!match || !(name in columns)) {
      const text = word.toLowerCase();
      return (i) => haystack[i].includes(text);
    }
    const unit = match[4] === "%" ? 0.01 : UNITS[match[4]?.toLowerCase()] ?? 1;
    const limit = Number(match[3]) * unit;
    const holds = {
      "<": (value) => value < limit, ">": (value) => value > limit, "=": (value) => value === limit,
      "<=": (value) => value <= limit, ">=": (value) => value >= limit,
    }[match[2]];
    return (i) => columns[name][i] !== null && holds(columns[name][i]);
  }
  const haystack = Array.from({ length: size }, (_, i) =>
    `${columns.number[i]} ${columns.key[i]} ${columns.architecture[i]} ${columns.state[i]} ` +
    `${studies[columns.study[i]].name} ${columns.failure[i] ?? ""}`.toLowerCase());

  function select() {
    const conditions = $("filter").value.trim().split(/\s+/).filter(Boolean).map(condition);
    const all = $("everything").checked;
    const column = columns[view.sort], sign = view.descending ? -1 : 1;
    view.rows = [];
    for (let i = 0; i < size; i += 1) {
      const admitted = view.brush ? view.brush.has(i) : all || columns.place[i] !== null;
      if (admitted && conditions.every((holds) => holds(i))) view.rows.push(i);
    }
    view.rows.sort((a, b) => {
      const x = column[a], y = column[b];
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      return (x < y ? -sign : x > y ? sign : a - b);
    });
    view.page = 0;
    render();
  }
  function cell([name, , format, kind], i) {
    const value = columns[name][i];
    const ends = name === main ? interval(i) : null;
    const text = value === null ? "" : format(value) + (ends ? ` [${ends.map((end) => end.toFixed(4)).join(", ")}]` : "");
    const title = kind && kind.includes("architecture") ? ` title="${escape(text).replace(/"/g, "&quot;")}"` : "";
    return `<td class="${kind ?? ""}"${title}>${escape(text)}</td>`;
  }
  function render() {
    const first = view.page * PAGE, last = Math.min(first + PAGE, view.rows.length);
    const visible = shown.filter(([name]) => name !== "state" || $("everything").checked || view.brush);
    $("table").tHead.innerHTML = `<tr>${visible.map(([name, title, , kind]) => {
      const order = name !== view.sort ? "none" : view.descending ? "descending" : "ascending";
      return `<th class="${kind ?? ""}" aria-sort="${order}" scope="col">` +
        `<button type="button" data-sort="${name}">${escape(title)}</button></th>`;
    }).join("")}</tr>`;
    $("table").tBodies[0].innerHTML = view.rows.slice(first, last)
      .map((i) => `<tr data-trial="${i}" tabindex="0">${visible.map((column) => cell(column, i)).join("")}</tr>`)
      .join("");
    $("count").textContent = view.rows.length
      ? `${first + 1}–${last} of ${counted(view.rows.length, "trial")}${view.brush ? ", brushed" : ""}`
      : "no trial matches";
    $("previous").disabled = first === 0;
    $("next").disabled = last >= view.rows.length;
  }
  $("table").tHead.addEventListener("click", (event) => {
    const button = event.target.closest("[data-sort]");
    if (!button) return;
    const name = button.dataset.sort;
    const down = [main, "efficiency", `${main}_per_gflop`, "value"].includes(name);
    view.descending = name === view.sort ? !view.descending : down;
    view.sort = name;
    select();
  });
  const opened = (event) => event.target.closest("[data-trial]");
  $("table").tBodies[0].addEventListener("click", (event) => {
    if (opened(event)) show(Number(opened(event).dataset.trial));
  });
  $("table").tBodies[0].addEventListener("keydown", (event) => {
    if (event.key === "Enter" && opened(event)) show(Number(opened(event).dataset.trial));
  });
  $("filter").addEventListener("input", select);
  $("everything").addEventListener("change", select);
  $("previous").addEventListener("click", () => { view.page -= 1; render(); });
  $("next").addEventListener("click", () => { view.page += 1; render(); });

  function csv() {
    const names = Object.keys(columns).filter((name) => several || name !== "study");
    const field = (name, i) => {
      const value = name === "study" ? studies[columns.study[i]].name : columns[name][i];
      const text = value === null ? "" : value === true ? "True" : value === false ? "False" : String(value);
      return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
    };
    const lines = view.rows.map((i) => names.map((name) => field(name, i)).join(","));
    return [names.join(","), ...lines].join("\n") + "\n";
  }
  $("download").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = "ranking.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  });
  select();

  /* The figures, once plotly is unpacked. */
  const hover = (i) =>
    `trial ${columns.number[i]}</b><br>${escape(columns.architecture[i]).replaceAll(" | ", "<br>")}<b>`;
  async function plot(node) {
    const figure = figures[node.dataset.figure];
    if (!figure) return;
    for (const trace of figure.data) {
      if (node.dataset.figure === "pareto" && trace.customdata) trace.text = trace.customdata.map(hover);
    }
    await page.draw(node, figure, node.dataset.figure === "pareto" && "hover");
    if (node.dataset.figure === "pareto") {
      node.on("plotly_click", (event) => {
        const place = event.points[0].customdata;
        if (Number.isInteger(place)) show(place);
      });
      node.on("plotly_selected", (event) => {
        view.brush = event && new Set(event.points.map((point) => point.customdata));
        select();
      });
      node.on("plotly_deselect", () => { view.brush = null; select(); });
    }
  }
  await page.drawAll(plot);
})();
