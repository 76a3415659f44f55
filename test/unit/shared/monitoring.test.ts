// The dashboard and the alert rules speak of metrics that there are, and of all of ours.
import { readFileSync } from "node:fs";
import { parser } from "@prometheus-io/lezer-promql";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { registerExpiries } from "../../../projector/ops/expiries.ts";
import { createCommitMetrics, registerStateMetrics } from "../../../projector/ops/metrics.ts";
import { createMonitor } from "../../../projector/ops/monitor.ts";
import { readConfig } from "../../../shared/config.ts";
import { openApi } from "../../harness/api.ts";
import { ALERTS } from "../../harness/prometheus/alert-kinds.ts";
import { RULES } from "../../harness/prometheus/rules.ts";

const read = (name: string) =>
  readFileSync(new URL(`../../../shared/monitoring/${name}`, import.meta.url), "utf8");

interface Dashboard {
  readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
}
const NAMES = { group: "g", shard: "0/1", topicName: (topic: string) => topic };

const dashboard = (JSON.parse(read("grafana-dashboard.json")) as Dashboard).panels.flatMap(({ targets }) =>
  targets.map(({ expr }) => expr.replaceAll("$__rate_interval", "5m")),
);
const queries = [...dashboard, ...RULES.map(({ expr }) => expr)];

/** The metrics that a query names; an error where Prometheus would not take it. */
function metricsOf(query: string): string[] {
  const names: string[] = [];
  parser.parse(query).iterate({
    enter({ type, from, to }) {
      if (type.isError) throw new Error(`not PromQL at ${from}: ${query}`);
      if (type.name === "VectorSelector") names.push(query.slice(from, to).replace(/[{[].*/s, ""));
    },
  });
  return names;
}

/** Each metric's labels, by the names that queries can use. */
async function metricsThere(): Promise<Set<string>> {
  const registry = new Registry();
  const monitor = createMonitor(
    { role: "projector", databaseDir: "/nowhere", publishes: true, mostLagSeconds: 60 },
    createCommitMetrics(registry, NAMES),
  );
  registerStateMetrics(registry, monitor, NAMES);
  registerExpiries(registry, monitor, readConfig({ DATABASE_DIR: "/nowhere" }));
  monitor.stop();
  const api = openApi();
  const { body } = await api.server.inject("/metrics");
  await api.close();
  const text = `${await registry.metrics()}\n${body}`;
  const names = new Set<string>();
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    if (type === "histogram") for (const end of ["_bucket", "_sum", "_count"]) names.add(name + end);
    else names.add(name as string);
  }
  return names;
}

test("every query is PromQL over metrics that there are", async () => {
  const there = await metricsThere();
  // Prometheus' own: whether a target answers.
  there.add("up");
  const unknown = queries.flatMap(metricsOf).filter((name) => !there.has(name));
  expect(unknown).toEqual([]);
});

test("every metric of ours is on the dashboard", async () => {
  const shown = new Set(dashboard.flatMap(metricsOf).map((name) => name.replace(/_(bucket|count)$/, "")));
  const ours = [...(await metricsThere())].filter((name) => /^(lead_view|kafka)_/.test(name));
  const missing = ours
    .map((name) => name.replace(/_(bucket|sum|count)$/, ""))
    .filter((name) => !shown.has(name));
  expect(missing).toEqual([]);
});

test("every alert says what is wrong and what to do", () => {
  expect(RULES.length).toBeGreaterThan(5);
  for (const { annotations } of RULES) {
    expect(annotations).toEqual({ summary: expect.any(String), description: expect.any(String) });
  }
});

test("every alert is one that a test has to see fire", () => {
  expect(Object.values(ALERTS).flat().sort()).toEqual(RULES.map(({ alert }) => alert).sort());
});
