import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { compile, type Sample, seconds } from "./promql.ts";
import type { Recording, Series } from "./series.ts";

const FILE = fileURLToPath(new URL("../../../shared/monitoring/alerts.yaml", import.meta.url));

export interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly annotations: object;
}

/** Our alert rules. */
export const RULES: readonly Rule[] = (
  parse(readFileSync(FILE, "utf8")) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] }
).groups.flatMap(({ rules }) => rules);

/** Follows which alerts fire while a recording grows. */
export function createAlerts(recording: () => Recording) {
  const rules = RULES.map((rule) => ({
    alert: rule.alert,
    query: compile(rule.expr, recording()),
    wait: rule.for === undefined ? 0 : seconds(rule.for),
    /** By labels, the scrape from which on it holds. */
    since: new Map<string, number>(),
  }));
  let evaluated = 0;
  const { interval } = recording();
  return {
    /** The alerts that fire at the last scrape, in the order of the rules. */
    firing(): string[] {
      const { length } = recording();
      for (; evaluated < length; evaluated++) {
        for (const { query, since } of rules) {
          const active = new Set(query(evaluated).map(({ labels }: Sample) => JSON.stringify(labels)));
          for (const key of since.keys()) if (!active.has(key)) since.delete(key);
          for (const key of active) if (!since.has(key)) since.set(key, evaluated);
        }
      }
      return rules
        .filter(({ since, wait }) =>
          [...since.values()].some((from) => (length - 1 - from) * interval >= wait),
        )
        .map(({ alert }) => alert);
    },
  };
}

/** Which alerts fired at a scrape. */
export interface Check {
  readonly at: number;
  readonly firing: readonly string[];
}

/**
 * Has promtool say of the same recording which alerts fire at the same times.
 * @returns what it found otherwise; undefined where promtool is not installed
 */
export function promtoolSays(recording: Recording, checks: readonly Check[]): string | undefined {
  if (spawnSync("promtool", ["--version"]).error) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "promtool-"));
  try {
    const file = join(folder, "test.yaml");
    writeFileSync(file, stringify(testOf(recording, checks), { lineWidth: 0 }));
    const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", file], { encoding: "utf8" });
    return status === 0 ? "" : `${stdout}${stderr}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A test as promtool takes it; its time begins at 0, so what tells a time is moved there. */
function testOf({ start, interval, series, length }: Recording, checks: readonly Check[]): object {
  const used = [...series.values()]
    .flat()
    .filter(({ labels }) => RULES.some(({ expr }) => expr.includes(labels.__name__ as string)));
  return {
    rule_files: [FILE],
    evaluation_interval: `${interval}s`,
    tests: [
      {
        interval: `${interval}s`,
        input_series: used.map((one) => ({ series: nameOf(one), values: valuesOf(one, start, length) })),
        promql_expr_test: checks.map(({ at, firing }) => ({
          expr: 'group by (alertname) (ALERTS{alertstate="firing"})',
          eval_time: `${at * interval}s`,
          exp_samples: firing.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
        })),
      },
    ],
  };
}

function nameOf({ labels: { __name__, ...labels } }: Series): string {
  return `${__name__}{${Object.entries(labels)
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`)
    .join(",")}}`;
}

function valuesOf({ labels, values }: Series, start: number, length: number): string {
  const isTime = labels.__name__?.endsWith("_timestamp_seconds");
  let before: number | undefined;
  return Array.from({ length }, (_, at) => {
    const value = values[at];
    const ended = value === undefined && before !== undefined;
    before = value;
    if (value === undefined) return ended ? "stale" : "_";
    return String(isTime ? value - start : value);
  }).join(" ");
}
