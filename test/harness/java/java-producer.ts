import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { HeaderValue, SourceRecord } from "../../../projector/source/source.ts";
import { resolveJars } from "../broker/host-broker.ts";

const PROGRAM = fileURLToPath(new URL("Producer.java", import.meta.url));

/** True where a Java compiler is there to run Kafka's own client from its source. */
export function canRunJava(): boolean {
  try {
    execFileSync("javac", ["-version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

type Produced = Omit<SourceRecord, "offset">;

/**
 * Sends records, each to the broker's topic of that name, with Kafka's Java client.
 * @param timestamps false = the client's own, which is the time of sending
 */
export async function produceWithJava(
  brokers: string,
  records: readonly Produced[],
  { compression = "none", timestamps = true } = {},
): Promise<void> {
  const classpath = join(resolveJars(), "*");
  const java = spawn("java", ["-cp", classpath, PROGRAM, brokers, compression], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  let errors = "";
  java.stderr.on("data", (data) => {
    errors = (errors + data).slice(-5_000);
  });
  const lines = records.map(({ topic, partition, timestamp, key, value, headers }) =>
    [
      topic,
      partition,
      timestamps ? timestamp : "-",
      field(key),
      field(value),
      ...Object.entries(headers).flatMap(headerFields),
    ].join("\t"),
  );
  java.stdin.end(`${lines.join("\n")}\n`);
  const [code] = await once(java, "exit");
  if (code !== 0) throw new Error(`the Java producer exited with ${code}: ${errors}`);
}

const field = (value: string | Buffer | null): string =>
  value === null ? "-" : Buffer.from(value as string).toString("base64");

function headerFields([name, value]: [string, HeaderValue]): string[] {
  const values = (Array.isArray(value) ? value : [value]) as (string | Buffer | null)[];
  return values.flatMap((one) => [field(name), field(one)]);
}
