import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { parseTraceParent, TRACE_PARENT_HEADER } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { headerText } from "../source/headers.ts";
import type { LogNames } from "../source/log-names.ts";
import type { SourceRecord } from "../source/source.ts";

/** A step of a trace, under way. */
export interface Step {
  /** W3C Trace Context: what the next step, wherever it happens, has for a parent. */
  readonly traceparent: string;
  /** @param error what went wrong, by its code; absent = nothing */
  end(error?: string): void;
}

/** Continues the traces that records come with, by OpenTelemetry's messaging conventions; begins none of its own. */
export interface Tracing {
  /** A record is folded; undefined where it carries no trace. */
  process(record: SourceRecord): Step | undefined;
  /** What a record made is handed on to a destination. */
  send(traceparent: string, system: string, destination: string): Step;
  /** Exports what waits for it. */
  stop(): Promise<void>;
}

/** Hands traces on as they came and exports nothing: what is in use where no collector is set. */
export const passingOn: Tracing = {
  process(record) {
    const traceparent = traceparentOf(record);
    return traceparent === undefined ? undefined : { traceparent, end: () => undefined };
  },
  send: (traceparent) => ({ traceparent, end: () => undefined }),
  stop: async () => undefined,
};

/**
 * Exports spans to a collector by OTLP over HTTP. What it can't export it drops: tracing keeps nothing waiting.
 * @param endpoint the collector's base address, such as http://localhost:4318
 */
export function exportTraces(endpoint: string, { system, group, topicName }: LogNames): Tracing {
  const url = `${endpoint.replace(/\/$/, "")}/v1/traces`;
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "lead-view-projector" }),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url }) })],
  });
  const tracer = provider.getTracer("lead-view");
  return {
    process(record) {
      const parent = traceparentOf(record);
      if (parent === undefined) return undefined;
      const destination = topicName(record.topic);
      return step(tracer, parent, `process ${destination}`, SpanKind.CONSUMER, {
        "messaging.system": system,
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": destination,
        "messaging.destination.partition.id": String(record.partition),
        "messaging.kafka.offset": record.offset,
        "messaging.consumer.group.name": group,
      });
    },
    send: (parent, sendSystem, destination) =>
      step(tracer, parent, `send ${destination}`, SpanKind.PRODUCER, {
        "messaging.system": sendSystem,
        "messaging.operation.type": "send",
        "messaging.operation.name": "send",
        "messaging.destination.name": destination,
      }),
    stop: () => provider.shutdown(),
  };
}

function step(
  tracer: Tracer,
  parent: string,
  name: string,
  kind: SpanKind,
  attributes: Record<string, string | number>,
): Step {
  const parentContext = parseTraceParent(parent);
  const context = parentContext
    ? trace.setSpanContext(ROOT_CONTEXT, { ...parentContext, isRemote: true })
    : ROOT_CONTEXT;
  const span = tracer.startSpan(name, { kind, attributes }, context);
  return {
    traceparent: traceparentOfSpan(span),
    end(error) {
      if (error !== undefined) {
        span.setAttribute("error.type", error);
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    },
  };
}

function traceparentOfSpan(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

/** The record's valid `traceparent`, if it has one. */
function traceparentOf({ headers }: SourceRecord): string | undefined {
  const text = headerText(headers, TRACE_PARENT_HEADER);
  return text === undefined || parseTraceParent(text) === null ? undefined : text;
}

/** The trace that a record belongs to, to find its log lines by. */
export const traceIdOf = (record: SourceRecord): string | undefined => traceparentOf(record)?.split("-")[1];
