// Rate and lag of the last quarter of an hour, in the colours of the page.
import { byId } from "../elements.js";

let charts;

/** A colour of the page as the browser's mode has it now: a canvas does not know light-dark(). */
function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function createChart(id) {
  const axis = () => ({ grid: {}, border: {}, ticks: { maxTicksLimit: 6, maxRotation: 0 } });
  return new window.Chart(byId(id), {
    type: "line",
    data: { labels: [], datasets: [{ data: [], borderWidth: 1.5, pointRadius: 0, fill: false }] },
    options: {
      animation: false,
      maintainAspectRatio: false,
      plugins: { legend: { display: false } },
      scales: { x: axis(), y: { ...axis(), beginAtZero: true, suggestedMax: 1 } },
    },
  });
}

function paint(chart, line) {
  chart.data.datasets[0].borderColor = colour(line);
  for (const { grid, border, ticks } of Object.values(chart.options.scales)) {
    grid.color = colour("--line");
    border.color = colour("--edge");
    ticks.color = colour("--faint");
  }
  chart.update();
}

function draw(chart, samples, field) {
  chart.data.labels = samples.map(({ at }) => new Date(at).toLocaleTimeString("en-GB"));
  chart.data.datasets[0].data = samples.map((sample) => sample[field]);
  chart.update();
}

export function showCharts(samples) {
  if (charts === undefined) {
    charts = { rate: createChart("rate-chart"), lag: createChart("lag-chart") };
    const paintBoth = () => {
      paint(charts.rate, "--accent");
      paint(charts.lag, "--second");
    };
    paintBoth();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paintBoth);
  }
  draw(charts.rate, samples, "rate");
  draw(charts.lag, samples, "lag");
}
