import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../free-port.ts";
import { BRIEF, java, type KeyStore, serverProperties, type Users } from "./server-properties.ts";

/** A running broker that a test may also stop, kill and start again. */
export interface Broker {
  /** What `KAFKA_BROKERS` takes. */
  readonly brokers: string;
  /** The certificate that signs the broker's, where it speaks TLS. */
  readonly ca?: string;
  /** Which of the ways was used, for the run's output. */
  readonly kind: string;
  kill?(): Promise<void>;
  start?(): Promise<void>;
  stop(): Promise<void>;
}

export const KAFKA_VERSION = process.env["TEST_KAFKA_VERSION"] ?? "4.1.1";

/** True where Java and Maven are there to run Apache Kafka from its published jars. */
export function canRunOnHost(): boolean {
  try {
    execFileSync("java", ["-version"], { stdio: "ignore" });
    if (!existsSync(libsFolder())) execFileSync("mvn", ["-v"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export interface HostBrokerOptions {
  /** SASL/PLAIN and SCRAM users by name; absent = no authentication. */
  readonly users?: Users;
  /** True = TLS, with a certificate of the broker's own. */
  readonly tls?: boolean;
  /** Absent = a free one. */
  readonly port?: number;
  /** True = for a test, which wants it soon; false = for a measurement, which wants it fast. */
  readonly isBrief?: boolean;
}

/** Starts Apache Kafka in KRaft mode on this machine. */
export async function startHostBroker(options: HostBrokerOptions = {}): Promise<Broker> {
  const { users, port: wanted } = options;
  const libs = resolveJars();
  const folder = mkdtempSync(join(tmpdir(), "test-kafka-"));
  const port = wanted ?? (await freePort());
  const brokers = `127.0.0.1:${port}`;
  const properties = join(folder, "server.properties");
  const tls = options.tls ? createKeyStore(folder) : undefined;
  writeFileSync(
    properties,
    serverProperties({
      listenerHost: "127.0.0.1",
      port,
      controllerPort: await freePort(),
      internalPort: await freePort(),
      advertised: brokers,
      logDir: join(folder, "log"),
      mayBeKilled: true,
      ...(users ? { users } : {}),
      ...(tls ? { tls } : {}),
    }),
  );
  execFileSync("java", java.format(libs, properties, users), { stdio: "pipe" });
  let server: ChildProcess | undefined;
  const start = async () => {
    const child = spawn("java", java.server(libs, properties, options.isBrief), {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: folder,
    });
    server = child;
    await started(child);
  };
  const end = async (signal: NodeJS.Signals) => {
    const child = server;
    server = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  };
  await start();
  return {
    brokers,
    ...(tls ? { ca: readFileSync(tls.certificate, "utf8") } : {}),
    kind: `Apache Kafka ${KAFKA_VERSION} on this machine's Java`,
    kill: () => end("SIGKILL"),
    start,
    async stop() {
      await end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A key with a certificate that it signed itself, by the tool that comes with Java. */
function createKeyStore(folder: string): KeyStore & { readonly certificate: string } {
  const store = { file: join(folder, "broker.p12"), password: "changeit" };
  const certificate = join(folder, "broker.pem");
  const tool = (...args: string[]) =>
    execFileSync(
      "keytool",
      [
        ...BRIEF.map((option) => `-J${option}`),
        ...args,
        "-alias",
        "broker",
        "-keystore",
        store.file,
        "-storepass",
        store.password,
      ],
      { stdio: "pipe" },
    );
  tool(
    "-genkeypair",
    "-storetype",
    "PKCS12",
    "-keyalg",
    "RSA",
    "-dname",
    "CN=broker",
    "-ext",
    "SAN=ip:127.0.0.1",
  );
  tool("-exportcert", "-rfc", "-file", certificate);
  return { ...store, certificate };
}

/** Waits for the broker's own word that it serves. */
async function started(child: ChildProcess): Promise<void> {
  let output = "";
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = (data: Buffer) => {
    output = (output + data).slice(-20_000);
    if (/Kafka Server started/.test(output)) resolve();
  };
  child.stdout?.on("data", look);
  child.stderr?.on("data", look);
  child.once("exit", (code) => reject(new Error(`the broker exited with ${code}:\n${output}`)));
  await promise;
}

const libsFolder = () =>
  join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "lead-view", `kafka-${KAFKA_VERSION}`);

/** Apache Kafka's jars, fetched by Maven once and kept outside the repository. */
export function resolveJars(): string {
  const libs = libsFolder();
  if (existsSync(libs)) return libs;
  const folder = mkdtempSync(join(tmpdir(), "kafka-jars-"));
  writeFileSync(
    join(folder, "pom.xml"),
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
      <groupId>lead-view</groupId><artifactId>test-broker</artifactId><version>1</version>
      <dependencies>
        <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
        <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
      </dependencies></project>`,
  );
  const jars = `${libs}.partial-${process.pid}`;
  execFileSync("mvn", ["-q", "-B", "dependency:copy-dependencies", `-DoutputDirectory=${jars}`], {
    cwd: folder,
    stdio: "pipe",
  });
  renameSync(jars, libs);
  return libs;
}
