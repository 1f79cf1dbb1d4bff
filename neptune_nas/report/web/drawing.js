"use strict";
/* Draws a network as report/svg.py does, number for number; a test compares the two. */
const drawing = (() => {
  const WIDTH = 380, LINE = 24, HEAD = 26, GAP = 10;
  const SPINE = 30, TEXT = 46, BAR = 300, BAR_WIDTH = 36, FOOT = 18, LABEL = 36;
  const ACCENT = "var(--accent,#2a7ab9)";

  const escape = (text) =>
    String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const shapeText = (shape) => shape.join(" × ");

  function box(top, height, name, shape) {
    return `<rect x="0.5" y="${top}.5" width="${WIDTH - 1}" height="${height - 1}" rx="8" ` +
      `fill-opacity="0.04" stroke="currentColor" stroke-opacity="0.14"/>` +
      `<text x="${TEXT}" y="${top + 18}" font-weight="600">${name}</text>` +
      `<text x="${WIDTH - 10}" y="${top + 18}" text-anchor="end" fill-opacity="0.65">` +
      `${shapeText(shape)}</text>`;
  }

  function layout(rows) {
    const middles = [], boxes = [];
    let y = 0, stage = 0;
    rows.forEach((row, i) => {
      const next = rows[i + 1];
      if (row.kind === "entry") {
        stage += 1;
        let count = 1;
        while (rows[i + count] && rows[i + count].kind === "substage") count += 1;
        y += GAP;
        boxes.push(box(y, HEAD + LINE * count + 4, `Stage ${stage}`, row.shape));
        y += HEAD;
      }
      middles.push(y + LINE / 2);
      y += LINE;
      const inside = row.kind === "entry" || row.kind === "substage";
      if (inside && next && next.kind !== "substage") y += 4;
      if (inside && next && next.kind === "head") y += GAP;
    });
    return { middles, boxes, height: y };
  }

  function wire(start, end, up, opacity) {
    const ink = opacity === "1" ? ACCENT : "currentColor";
    const out = SPINE - Math.min(6 + 6 * up, 28);
    const path = up === 1 ? `V${end}` : `C${out} ${start} ${out} ${end} ${SPINE} ${end}`;
    return `<path d="M${SPINE} ${start}${path}" fill="none" stroke="${ink}" ` +
      `stroke-opacity="${opacity}" stroke-width="1.5"/>`;
  }

  function wires(row, i, middles) {
    const paths = row.reads.map((up) => wire(middles[i - up], middles[i], up, "0.5"));
    if (row.shortcut) paths.push(wire(middles[i - 1], middles[i], 2, "1"));
    return paths.join("");
  }

  function line(row, middle, percent, most) {
    const letters = Array.from(row.label);
    const label = letters.length <= LABEL ? row.label : letters.slice(0, LABEL - 1).join("") + "…";
    const names = { image: "image", stem: `stem ${label}`, head: `head ${label}` };
    const start = `<circle cx="${SPINE}" cy="${middle}" r="3.5"/>` +
      `<text x="${TEXT}" y="${middle + 4}">${escape(names[row.kind] ?? label)}</text>`;
    const end = `<text x="${WIDTH - 10}" y="${middle + 4}" text-anchor="end"`;
    if (row.kind === "image") return `${start}${end} fill-opacity="0.65">${shapeText(row.shape)}</text>`;
    if (percent === null) return start;
    const filled = Math.max(Math.floor((BAR_WIDTH * percent) / Math.max(most, 1)), 1);
    return `${start}` +
      `<rect x="${BAR}" y="${middle - 4}" width="${BAR_WIDTH}" height="8" rx="2" fill-opacity="0.1"/>` +
      `<rect x="${BAR}" y="${middle - 4}" width="${filled}" height="8" rx="2" fill="${ACCENT}"/>` +
      `${end}>${percent}%</text>`;
  }

  function foot(top) {
    return `<text x="${WIDTH - 10}" y="${top + 12}" text-anchor="end" fill-opacity="0.65">` +
      `share of MACs</text>`;
  }

  function svg(rows) {
    const { middles, boxes, height } = layout(rows);
    const counted = rows.every((row) => row.macs !== null);
    const total = rows.reduce((sum, row) => sum + row.macs, 0) || 1;
    const percent = rows.map((row) => (counted ? Math.floor((100 * row.macs) / total + 0.5) : null));
    const body = boxes.join("") +
      rows.map((row, i) => wires(row, i, middles)).join("") +
      rows.map((row, i) => line(row, middles[i], percent[i], Math.max(...percent))).join("") +
      (counted ? foot(height) : "");
    return `<svg xmlns="http://www.w3.org/2000/svg" class="net" viewBox="0 0 ${WIDTH} ${height + FOOT}" ` +
      `role="img" aria-label="network of ${rows.length - 1} parts" font-size="12" ` +
      `fill="currentColor">${body}</svg>\n`;
  }

  return { svg, escape };
})();
