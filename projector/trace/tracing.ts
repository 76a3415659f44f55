import { parseTraceParent, TRACE_PARENT_HEADER } from "@opentelemetry/core";
import { headerText } from "../source/headers.ts";
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

/** The record's valid `traceparent`, if it has one. */
export function traceparentOf({ headers }: SourceRecord): string | undefined {
  const text = headerText(headers, TRACE_PARENT_HEADER);
  return text === undefined || parseTraceParent(text) === null ? undefined : text;
}

/** The trace that a record belongs to, to find its log lines by. */
export const traceIdOf = (record: SourceRecord): string | undefined => traceparentOf(record)?.split("-")[1];
