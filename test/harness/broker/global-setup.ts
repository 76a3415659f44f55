import type { TestProject } from "vitest/node";
import { findBroker, startBroker } from "./find-broker.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The brokers of the run; empty where there is none. */
    brokers: string;
    /** True where tests may start brokers of their own on this machine. */
    hostBrokers: boolean;
  }
}

/** One broker for the whole run; each test has topics of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kind = await findBroker();
  const broker = kind && (await startBroker(kind, { isBrief: true }));
  if (broker) console.log(`Kafka tests run against ${broker.kind}`);
  project.provide("brokers", broker?.brokers ?? "");
  project.provide("hostBrokers", kind === "host");
  return async () => {
    await broker?.stop();
  };
}
