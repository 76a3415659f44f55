/** How a broker for tests is set up; the same in a container and on this machine. */
export interface BrokerSetup {
  readonly listenerHost: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly advertised: string;
  readonly logDir: string;
  /** SASL/PLAIN and SCRAM users by name; empty = no authentication. */
  readonly users?: Readonly<Record<string, string>>;
}

/** One node of KRaft mode that is broker and controller. */
export function serverProperties({
  listenerHost,
  port,
  controllerPort,
  advertised,
  logDir,
  users,
}: BrokerSetup): string {
  const protocol = users ? "SASL_PLAINTEXT" : "PLAINTEXT";
  const jaas = Object.entries(users ?? {})
    .map(([name, password]) => `user_${name}="${password}"`)
    .join(" ");
  const sasl = users
    ? [
        "sasl.enabled.mechanisms=PLAIN",
        "sasl.mechanism.inter.broker.protocol=PLAIN",
        `listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="broker" user_broker="broker" ${jaas};`,
      ]
    : [];
  return [
    "process.roles=broker,controller",
    "node.id=1",
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=CLIENT://${listenerHost}:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    `advertised.listeners=CLIENT://${advertised}`,
    `listener.security.protocol.map=CLIENT:${protocol},CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT`,
    "controller.listener.names=CONTROLLER",
    "inter.broker.listener.name=CLIENT",
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
    "delete.topic.enable=true",
    // A killed broker may come back at once.
    "broker.session.timeout.ms=2000",
    "broker.heartbeat.interval.ms=500",
    ...sasl,
  ].join("\n");
}

/** The class path and main class of each of Kafka's programs that are run here. */
export const java = {
  format: (libs: string, properties: string): string[] => [
    "-cp",
    `${libs}/*`,
    "kafka.tools.StorageTool",
    "format",
    "-t",
    "MkU3OEVBNTcwNTJENDM2Qg",
    "-c",
    properties,
  ],
  server: (libs: string, properties: string): string[] => [
    "-Xmx512m",
    "-cp",
    `${libs}/*`,
    "kafka.Kafka",
    properties,
  ],
};
