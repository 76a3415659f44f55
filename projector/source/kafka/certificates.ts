import { once } from "node:events";
import { connect } from "node:tls";
import { after } from "../../../shared/clock.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";

/** When a broker's certificate expires. */
export interface BrokerCertificate {
  readonly broker: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

const ANSWER_MS = 5_000;

/**
 * Looks at the certificates that the brokers show now: connections live for months, and tell of the one that they began
 * with. Whether it is to be trusted is decided where records are read; one that has expired is told too. A broker that
 * does not answer is left out.
 */
export async function readCertificates({
  brokers,
  tls,
}: Pick<KafkaConfig, "brokers" | "tls">): Promise<BrokerCertificate[]> {
  if (tls === false) return [];
  const found = await Promise.all(
    brokers.map(async (broker) => {
      const expiresAt = await expiryOf(broker).catch(() => undefined);
      return expiresAt === undefined ? [] : [{ broker, expiresAt }];
    }),
  );
  return found.flat();
}

async function expiryOf(broker: string): Promise<number | undefined> {
  const [, host = "", port] = /^\[?(.*?)\]?:(\d+)$/.exec(broker) ?? [];
  const socket = connect({
    host,
    port: Number(port),
    rejectUnauthorized: false,
    servername: isName(host) ? host : "",
  });
  const limit = after(ANSWER_MS, () => socket.destroy(new Error("no answer")));
  try {
    await once(socket, "secureConnect");
    const expiresAt = Date.parse(socket.getPeerCertificate().valid_to);
    return Number.isNaN(expiresAt) ? undefined : expiresAt;
  } finally {
    limit.stop();
    socket.destroy();
  }
}

/** An address is no server name (RFC 6066). */
const isName = (host: string): boolean => /[a-z]/i.test(host) && !host.includes(":");
