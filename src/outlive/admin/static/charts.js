// Draws the charts from the tables beside them: chart and table are the same figures.
(() => {
  "use strict";
  if (!window.uPlot) return;
  const drawn = new Map();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const figures = (table) => {
    const columns = [...table.querySelectorAll("thead th")].map(() => []);
    for (const row of table.tBodies[0].rows) {
      [...row.cells].forEach((cell, at) => columns[at].push(cell.dataset.v === "" ? null : Number(cell.dataset.v)));
    }
    return columns;
  };
  // Marks of a day are times, those of more days are days, as the viewer's language writes them.
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
  const tellMarks = (_, marks) => {
    const format = marks.at(-1) - marks[0] >= 86400 ? day : clock;
    return marks.map((mark) => format.format(mark * 1000));
  };
  const options = (table, width) => {
    const heads = [...table.querySelectorAll("thead th")].slice(1);
    const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const unit = table.dataset.unit || "";
    const tell = (value) => (value === null || value === undefined ? "–" : `${Number(value.toPrecision(3))}${unit}`);
    return {
      width, height: 200, cursor: { points: { size: 7 } },
      scales: { y: { range: (_, least, most) => [0, most > 0 ? most * 1.15 : 1] } },
      axes: [{ ...axis, size: 30, values: tellMarks }, { ...axis, size: 54, values: (_, marks) => marks.map((mark) => `${Number(mark.toPrecision(3))}${unit}`) }],
      series: [{ value: (_, at) => (at === null ? "–" : new Date(at * 1000).toLocaleTimeString()) }, ...heads.map((head) => ({
        label: head.textContent, stroke: colour(head.dataset.colour), fill: `${colour(head.dataset.colour)}55`, width: 1,
        value: (_, value) => tell(value), points: { show: false }, paths: window.uPlot.paths.bars({ size: [0.8, 40] }),
      }))],
    };
  };
  const draw = () => {
    for (const place of document.querySelectorAll(".chart[data-table]")) {
      const table = document.getElementById(place.dataset.table);
      if (!table) continue;
      const known = drawn.get(place);
      const data = figures(table);
      if (known) { known.setData(data); continue; }
      place.textContent = "";
      drawn.set(place, new window.uPlot(options(table, place.clientWidth), data, place));
    }
  };
  const redraw = () => {
    for (const [place, plot] of drawn) { plot.destroy(); drawn.delete(place); }
    draw();
  };
  for (const one of document.querySelectorAll("details.chart-data")) one.open = false;
  draw();
  document.addEventListener("outlive:refreshed", draw);
  document.addEventListener("outlive:theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; redraw(); } });
})();
