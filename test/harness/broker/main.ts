// `npm run kafka [-- --port N]`: Apache Kafka on this machine's Java, for trying things out; Ctrl-C removes it.
import { parseArgs } from "node:util";
import { canRunOnHost, startHostBroker } from "./host-broker.ts";

const { values } = parseArgs({ options: { port: { type: "string", default: "9092" } } });

if (!canRunOnHost()) {
  console.error("Java 17 and Maven are needed: apt-get install openjdk-17-jre-headless maven");
  process.exitCode = 1;
} else {
  const broker = await startHostBroker({ port: Number(values.port) });
  console.log(`${broker.kind} listens at ${broker.brokers} (Ctrl-C stops it and removes its data)`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void broker.stop());
}
