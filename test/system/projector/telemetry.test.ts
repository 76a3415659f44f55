// What a running projector tells of itself, as Prometheus and a trace collector see it.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openEndpoints, webhooksFile } from "../../../projector/publish/webhooks/endpoints.ts";
import { settleHere } from "../../../projector/publish/webhooks/home.ts";
import { openEventLog } from "../../harness/event-log.ts";
import { startProgram } from "../../harness/process.ts";
import { until } from "../../harness/wait.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly status: { readonly code?: number };
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
}

let folder: string;
let log: ReturnType<typeof openEventLog>;
let projector: ReturnType<typeof startProgram> | undefined;
const servers: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "telemetry-"));
  log = openEventLog(folder);
});
afterEach(async () => {
  await projector?.stop("SIGKILL");
  projector = undefined;
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Listens, and keeps what is posted. */
async function receiver<T>() {
  const received: { readonly path: string; readonly headers: Record<string, unknown>; readonly body: T }[] =
    [];
  const server = createServer(async (request, response) => {
    const body = (await json(request)) as T;
    received.push({ path: request.url ?? "", headers: request.headers, body });
    response.setHeader("content-type", "application/json");
    response.end("{}");
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { received, address: `http://127.0.0.1:${port}` };
}

const start = (env: Record<string, string> = {}) => {
  projector = startProgram("projector/main.ts", { EVENT_LOG_DIR: folder, DATABASE_DIR: folder, ...env });
  return projector;
};

test("metrics have lag, events by outcome, durations, freshness, outbox and sizes", async () => {
  log.say({ event: "lead.created", data: {} });
  log.say({ event: "lead.updated", data: { firstName: "Ann" } });
  log.say({ event: "lead.unheard_of", data: {}, topic: "omni.lead" });
  const address = await start().opsAddress();
  const metrics = async () => (await fetch(`${address}/metrics`)).text();
  const partition = 'consumergroup="lead-view-projector",topic="omni.lead",partition="0"';
  const text = await until("all to be folded", async () => {
    const body = await metrics();
    return body.includes(`kafka_consumergroup_current_offset{${partition}} 3`) && body;
  });
  for (const line of [
    `kafka_consumergroup_lag{${partition}} 0`,
    `kafka_consumergroup_lag_seconds{${partition}} 0`,
    'kafka_topic_partition_current_offset{topic="omni.lead",partition="0"} 3',
    'lead_view_events_total{type="lead.created",outcome="folded"} 1',
    'lead_view_events_total{type="lead.updated",outcome="folded"} 1',
    'lead_view_events_total{type="unknown",outcome="dead_letter"} 1',
    "lead_view_records_total 3",
    "lead_view_freshness_seconds_count 3",
    'lead_view_dead_letters{topic="omni.lead"} 1',
    'lead_view_dead_letters_total{topic="omni.lead"} 1',
    'lead_view_dead_letters_total{topic="omni.webhook"} 0',
    'lead_view_owner{shard="0/1"} 1',
    'lead_view_outbox_depth{relay="webhook"} 0',
    "lead_view_generation 1",
    "lead_view_ready 1",
  ]) {
    expect(text).toContain(`${line}\n`);
  }
  expect(text).toMatch(/lead_view_commit_duration_seconds_count [1-9]/);
  expect(text).toMatch(/lead_view_assemble_duration_seconds_count [1-9]/);
  expect(text).toMatch(/lead_view_database_bytes\{file="database"\} [1-9]/);
  const health = async (path: string) => (await fetch(`${address}/health/${path}`)).status;
  expect([await health("live"), await health("ready")]).toEqual([200, 200]);
});

test("a record's trace goes on through the fold to the webhook, and a dead letter is an error in it", async () => {
  const collector = await receiver<{
    readonly resourceSpans: readonly {
      readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
    }[];
  }>();
  const subscriber = await receiver<object>();
  const endpoints = openEndpoints(webhooksFile(folder));
  endpoints.add("ws-1", subscriber.address, 0, Date.now());
  settleHere(folder, endpoints);
  endpoints.close();
  const headers = { traceparent: `00-${TRACE}-${PARENT}-01` };
  log.say({ event: "lead.created", headers });
  log.say({ event: "lead.unheard_of", topic: "omni.lead", headers });
  log.say({ event: "lead.unheard_of", headers: { traceparent: "no trace" }, topic: "omni.lead" });
  const running = start({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.address,
    OTEL_BSP_SCHEDULE_DELAY: "50",
    WEBHOOKS_ALLOW_PRIVATE: "true",
  });
  await until("the webhook", () => subscriber.received.length > 0);
  await running.stop();
  const spans = collector.received.flatMap(({ body }) =>
    body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
  );
  const named = (name: string) => spans.filter((span) => span.name === name);
  expect(spans).toHaveLength(3);
  expect(spans.every(({ traceId }) => traceId === TRACE)).toBe(true);
  const [folded, failed] = named("process omni.lead") as [Span, Span];
  const attributes = Object.fromEntries(
    folded.attributes.map(({ key, value }) => [key, Object.values(value)[0]]),
  );
  expect(folded).toMatchObject({ parentSpanId: PARENT, kind: 5 });
  expect(attributes).toMatchObject({
    "messaging.operation.type": "process",
    "messaging.destination.name": "omni.lead",
    "messaging.destination.partition.id": "0",
    "messaging.kafka.offset": 0,
  });
  expect(failed.status.code).toBe(2);
  expect(failed.attributes).toContainEqual({ key: "error.type", value: { stringValue: "unknown_event" } });
  const sent = spans.find(({ name }) => name.startsWith("send ")) as Span;
  expect(sent).toMatchObject({ parentSpanId: folded.spanId, kind: 4 });
  expect(subscriber.received[0]?.headers.traceparent).toBe(`00-${TRACE}-${sent.spanId}-01`);
  // The log can be searched by the trace too.
  expect(running.lines().find(({ msg, offset }) => msg === "dead letter" && offset === 1)?.traceId).toBe(
    TRACE,
  );
});
