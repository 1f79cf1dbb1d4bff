"use strict";
/* What every page of ours does: unpack what stands in it, follow the theme, draw its figures. */
const page = (() => {
  async function unpack(id) {
    const text = document.getElementById(id).textContent;
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  /* Theme: the system's, until the button is used. */
  const root = document.documentElement;
  let printing = false;
  const isDark = () => !printing &&
    (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const drawn = [];
  function paint() {
    const style = getComputedStyle(document.body);
    for (const node of drawn) Plotly.relayout(node, colors(style, node.layout));
  }
  function colors(style, layout) {
    const change = {
      "font.color": printing ? "#1c2228" : style.color,
      "hoverlabel.bgcolor": isDark() ? "#212932" : "#ffffff",
      "hoverlabel.font.color": style.color,
      "hoverlabel.bordercolor": isDark() ? "#3a444f" : "#d0d7de",
    };
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(key)) change[`${key}.gridcolor`] = isDark() ? "#29313a" : "#e7ebef";
    }
    return change;
  }
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    paint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  for (const name of ["beforeprint", "afterprint"]) {
    addEventListener(name, () => { printing = name === "beforeprint"; paint(); });
  }

  /* The figures, once plotly is unpacked. */
  async function draw(node, figure, modeBar = false) {
    node.style.height = `${figure.layout.height}px`; // plotly forgets it when the window changes
    await Plotly.newPlot(node, figure.data, structuredClone(figure.layout), {
      responsive: true, displaylogo: false, displayModeBar: modeBar,
      modeBarButtonsToRemove: ["zoomIn2d", "zoomOut2d"],
    });
    drawn.push(node);
    await Plotly.relayout(node, colors(getComputedStyle(document.body), node.layout));
  }
  async function drawAll(drawOne) {
    const script = document.createElement("script");
    script.textContent = await unpack("plotly");
    document.head.append(script);
    for (const node of document.querySelectorAll(".figure")) {
      await drawOne(node);
      await new Promise((next) => setTimeout(next));
    }
    root.dataset.ready = "yes";
  }
  if (!document.getElementById("plotly")) root.dataset.ready = "yes"; // there is nothing to draw
  return { unpack, draw, drawAll };
})();
