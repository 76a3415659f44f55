/** How a broker for tests is set up; the same in a container and on this machine. */
export interface BrokerSetup {
  readonly listenerHost: string;
  readonly port: number;
  readonly controllerPort: number;
  /** Where the broker speaks to itself: what it advertises to clients may not lead back to it from in a container. */
  readonly internalPort: number;
  readonly advertised: string;
  readonly logDir: string;
  /** SASL/PLAIN and SCRAM users by name; absent = no authentication. */
  readonly users?: Users;
  /** Absent = plain text. */
  readonly tls?: KeyStore;
  /** True = one that is killed may come back at once; it is also fenced sooner where the machine is slow. */
  readonly mayBeKilled?: boolean;
}

/** Passwords by user name. */
export type Users = Readonly<Record<string, string>>;

/** A PKCS #12 file with the broker's key and certificate. */
export interface KeyStore {
  readonly file: string;
  readonly password: string;
}

const SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-512"];

/** One node of KRaft mode that is broker and controller. */
export function serverProperties(setup: BrokerSetup): string {
  const { listenerHost, port, controllerPort, internalPort, advertised, logDir, users, tls } = setup;
  const protocol = `${users ? "SASL_" : ""}${tls ? "SSL" : "PLAINTEXT"}`;
  return [
    "process.roles=broker,controller",
    "node.id=1",
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=CLIENT://${listenerHost}:${port},CONTROLLER://127.0.0.1:${controllerPort},INTERNAL://127.0.0.1:${internalPort}`,
    `advertised.listeners=CLIENT://${advertised},INTERNAL://127.0.0.1:${internalPort}`,
    `listener.security.protocol.map=CLIENT:${protocol},CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT`,
    "controller.listener.names=CONTROLLER",
    "inter.broker.listener.name=INTERNAL",
    `log.dirs=${logDir}`,
    "num.partitions=1",
    "offsets.topic.num.partitions=1",
    "offsets.topic.replication.factor=1",
    "transaction.state.log.num.partitions=1",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "group.initial.rebalance.delay.ms=0",
    "group.min.session.timeout.ms=500",
    "auto.create.topics.enable=false",
    "log.retention.check.interval.ms=1000",
    "log.segment.delete.delay.ms=100",
    "log.cleaner.backoff.ms=500",
    "delete.topic.enable=true",
    ...(setup.mayBeKilled ? ["broker.session.timeout.ms=2000", "broker.heartbeat.interval.ms=500"] : []),
    ...(users ? saslProperties(users) : []),
    ...(tls
      ? [
          "ssl.keystore.type=PKCS12",
          `ssl.keystore.location=${tls.file}`,
          `ssl.keystore.password=${tls.password}`,
        ]
      : []),
  ].join("\n");
}

function saslProperties(users: Users): string[] {
  const jaas = Object.entries(users)
    .map(([name, password]) => `user_${name}="${password}"`)
    .join(" ");
  const plain = "org.apache.kafka.common.security.plain.PlainLoginModule";
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule";
  return [
    `sasl.enabled.mechanisms=${["PLAIN", ...SCRAM].join(",")}`,
    `listener.name.client.plain.sasl.jaas.config=${plain} required ${jaas};`,
    ...SCRAM.map((name) => `listener.name.client.${name.toLowerCase()}.sasl.jaas.config=${scram} required;`),
  ];
}

/** Has Java compile once and quickly: a program that lives for seconds takes half of the CPU's time. */
export const BRIEF = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"] as const;

/** The class path and main class of each of Kafka's programs that are run here. */
export const java = {
  format: (libs: string, properties: string, users: Users = {}): string[] => [
    ...BRIEF,
    "-cp",
    `${libs}/*`,
    "kafka.tools.StorageTool",
    "format",
    "-t",
    "MkU3OEVBNTcwNTJENDM2Qg",
    "-c",
    properties,
    ...Object.entries(users).flatMap(([name, password]) =>
      SCRAM.flatMap((mechanism) => ["--add-scram", `${mechanism}=[name=${name},password=${password}]`]),
    ),
  ],
  server: (libs: string, properties: string, isBrief = false): string[] => [
    ...(isBrief ? BRIEF : []),
    "-Xmx512m",
    "-cp",
    `${libs}/*`,
    "kafka.Kafka",
    properties,
  ],
};
