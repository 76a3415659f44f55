import { canRunInContainer, startContainerBroker } from "./container-broker.ts";
import { type Broker, canRunOnHost, type HostBrokerOptions, startHostBroker } from "./host-broker.ts";

const NONE =
  "No Kafka for the tests: set KAFKA_BROKERS, or start a Docker engine, or install Java 17 and Maven " +
  "(apt-get install openjdk-17-jre-headless maven).";

/** How a broker can be had here, best first; undefined = not at all. */
export async function findBroker(): Promise<"given" | "container" | "host" | undefined> {
  if (process.env["KAFKA_BROKERS"]) return "given";
  if (await canRunInContainer()) return "container";
  if (canRunOnHost()) return "host";
  if (process.env["CI"] === "true") throw new Error(NONE);
  console.warn(`\n*** SKIPPED: all tests against a real broker. ${NONE} ***\n`);
  return undefined;
}

/** Starts a broker, or takes the given one. */
export async function startBroker(
  kind: "given" | "container" | "host",
  options: Pick<HostBrokerOptions, "isBrief"> = {},
): Promise<Broker> {
  if (kind === "container") return startContainerBroker();
  if (kind === "host") return startHostBroker(options);
  const brokers = process.env["KAFKA_BROKERS"] as string;
  return { brokers, kind: `the broker at ${brokers}`, stop: async () => undefined };
}
