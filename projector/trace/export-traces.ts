import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { LogNames } from "../source/log-names.ts";
import { type Step, type Tracing, traceparentOf } from "./tracing.ts";

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
