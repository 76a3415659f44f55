import type { Config } from "../../shared/config.ts";
import { logNames } from "../source/log-names.ts";
import { passingOn, type Tracing } from "./tracing.ts";

/** The tracing that is configured. The exporter is large, and is loaded only where there is a collector. */
export async function openTracing(config: Config): Promise<Tracing> {
  if (config.traceEndpoint === undefined) return passingOn;
  const { exportTraces } = await import("./export-traces.ts");
  return exportTraces(config.traceEndpoint, logNames(config));
}
