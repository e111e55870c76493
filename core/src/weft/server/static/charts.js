// The charts of the overview, drawn by uPlot in the colours of the page.
(() => {
  const source = document.getElementById("series");
  if (!source || !window.uPlot) return;
  const data = JSON.parse(source.textContent);
  const drawn = [];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const bars = window.uPlot.paths.bars({ size: [0.72, 40], radius: 0.15 });
  const steps = window.uPlot.paths.stepped({ align: 1 });
  const number = (value) => (value == null ? "–" : value.toLocaleString("en"));
  const seconds = (value) => (value == null ? "–" : value > 3600 ? "over 1 h" : "≤ " + value + " s");
  const time = (value) => {
    if (value == null) return "–";
    return new Date(value * 1000).toISOString().slice(5, 16).replace("T", " ");
  };

  const hours = (_, ticks) =>
    ticks.map((at) => { const text = time(at); return text.endsWith("00:00") ? text.slice(0, 5) : text.slice(6); });

  const axes = (extra) => {
    const line = { stroke: colour("--line"), width: 1 };
    const font = "12px system-ui, sans-serif";
    const shared = { stroke: colour("--muted"), font, grid: line, ticks: line };
    return [{ ...shared, grid: { show: false }, values: hours, space: 64 }, { ...shared, size: 56, ...extra }];
  };

  const stacked = (rows) => {
    const sums = rows[0].map(() => 0);
    return rows.map((row) => row.map((value, i) => (sums[i] += value)));
  };

  const records = (width) => {
    const rows = [data.written, data.held, data.failed];
    const names = ["written", "need a person", "failed"];
    const inks = ["--accent", "--care-line", "--bad-line"].map(colour);
    const sums = stacked(rows);
    const series = sums
      .map((_, i) => ({
        label: names[i], stroke: inks[i], fill: inks[i], width: 0, paths: bars, points: { show: false },
        value: (_, __, ___, at) => number(at == null ? null : rows[i][at]),
      }))
      .reverse();
    return [{ series: [{ label: "from", value: (_, v) => time(v) }, ...series], axes: axes({}), width },
      [data.at, ...sums.reverse()]];
  };

  const delay = (width) => {
    const line = (label, ink, dash) => ({
      label, stroke: colour(ink), width: 2, dash, spanGaps: false, paths: steps, points: { show: false },
      value: (_, v) => seconds(v),
    });
    return [{
      series: [{ label: "from", value: (_, v) => time(v) }, line("median", "--accent"), line("95 of 100", "--care-line", [6, 4])],
      axes: axes({ splits: () => [1, 5, 30, 300, 3600], filter: (_, ticks) => ticks, values: (_, ticks) => ticks.map((t) => (t >= 3600 ? "1 h" : t >= 60 ? t / 60 + " min" : t + " s")) }),
      scales: { y: { distr: 3, range: (_, low, high) => [Math.min(low ?? 1, 1) * 0.8, Math.max(high ?? 10, 10) * 1.4] } }, width,
    }, [data.at, data.median, data.p95]];
  };

  const kinds = { records, delay };
  const draw = () => {
    drawn.splice(0).forEach((chart) => chart.destroy());
    document.querySelectorAll("[data-chart]").forEach((place) => {
      const [options, rows] = kinds[place.dataset.chart](place.clientWidth);
      const shared = { height: 220, tzDate: (ts) => window.uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"), legend: { live: true }, cursor: { drag: { x: false, y: false } } };
      const scales = { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high, 4) * 1.08] }, ...options.scales };
      drawn.push(new window.uPlot({ ...shared, ...options, scales }, rows, place));
    });
  };

  let waiting;
  const later = () => { clearTimeout(waiting); waiting = setTimeout(draw, 120); };
  draw();
  addEventListener("resize", later);
  document.addEventListener("weft:theme", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
