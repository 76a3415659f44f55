import { GenericContainer, getContainerRuntimeClient, Wait } from "testcontainers";
import { freePort } from "../free-port.ts";
import { type Broker, KAFKA_VERSION } from "./host-broker.ts";
import { java, serverProperties } from "./server-properties.ts";

const IMAGE = process.env["TEST_KAFKA_IMAGE"] ?? `apache/kafka:${KAFKA_VERSION}`;
const PORT = 9092;
const LIBS = "/opt/kafka/libs";
const PROPERTIES = "/tmp/server.properties";

/** True where a Docker engine answers. */
export async function canRunInContainer(): Promise<boolean> {
  try {
    await getContainerRuntimeClient();
    return true;
  } catch {
    return false;
  }
}

/** Starts the same broker as `startHostBroker`, in a container. */
export async function startContainerBroker(): Promise<Broker> {
  const port = await freePort();
  const brokers = `127.0.0.1:${port}`;
  const properties = serverProperties({
    listenerHost: "0.0.0.0",
    port: PORT,
    controllerPort: 9093,
    internalPort: 9094,
    advertised: brokers,
    logDir: "/tmp/kafka-logs",
  });
  const line = (args: readonly string[]) => ["java", ...args].map((arg) => `'${arg}'`).join(" ");
  const command = `${line(java.format(LIBS, PROPERTIES))} && exec ${line(java.server(LIBS, PROPERTIES))}`;
  const container = await new GenericContainer(IMAGE)
    .withExposedPorts({ container: PORT, host: port })
    .withCopyContentToContainer([{ content: properties, target: PROPERTIES, mode: 0o644 }])
    .withEntrypoint(["sh", "-c", command])
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .start();
  return {
    brokers,
    kind: `${IMAGE} in a container`,
    stop: async () => {
      await container.stop();
    },
  };
}
