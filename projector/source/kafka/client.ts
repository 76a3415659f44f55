import kafkajs, { type Kafka, type LogEntry } from "kafkajs";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Logger } from "../../../shared/log.ts";
import { SourceError } from "../source.ts";
import { registerCodecs } from "./codecs.ts";
import { registerNullHeaders } from "./kafka-headers.ts";
import { scheduleOnlyWhatWaits } from "./request-queue.ts";

const { Kafka: KafkaClient, logLevel } = kafkajs;

registerCodecs();
scheduleOnlyWhatWaits();
registerNullHeaders();

/**
 * A client of the configured cluster, which logs through ours.
 * @param requestTimeout milliseconds that a broker has for an answer
 * @param retries how often the client itself tries again
 */
export function createKafka(
  { brokers, clientId, tls, sasl }: KafkaConfig,
  log: Logger,
  {
    requestTimeout = 30_000,
    retries = 5,
  }: { readonly requestTimeout?: number; readonly retries?: number } = {},
): Kafka {
  return new KafkaClient({
    clientId,
    brokers: [...brokers],
    ssl: tls === false ? false : tls.ca === undefined ? true : { ca: [tls.ca] },
    ...(sasl ? { sasl: sasl as never } : {}),
    connectionTimeout: 5_000,
    requestTimeout,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries },
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => forward(entry, log),
  });
}

/** Broker trouble is retried, so kafkajs's errors are warnings here; its own news are for debugging. */
function forward({ level, namespace, log: { message, ...details } }: LogEntry, log: Logger): void {
  const fields = { kafka: namespace, error: (details as { error?: unknown }).error };
  if (level === logLevel.ERROR || level === logLevel.WARN) log.debug(fields, message);
  else log.trace(fields, message);
}

/** What an error of kafkajs, or of a socket below it, can carry. */
type KafkaTrouble = Error & { type?: string; code?: string; cause?: unknown; originalError?: KafkaTrouble };

/** How Node names a certificate that does not hold. */
const UNTRUSTED = /CERT|^UNABLE_TO_VERIFY/;

/** The error that stops the service where trying again can't help; undefined for all others. */
export function hopeless(error: unknown): SourceError | undefined {
  for (let cause = error as KafkaTrouble | undefined; cause; ) {
    if (cause instanceof SourceError) return cause;
    if (cause.name === "KafkaJSSASLAuthenticationError" || cause.type === "SASL_AUTHENTICATION_FAILED") {
      return new SourceError(
        "Kafka refused the credentials; check KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD",
      );
    }
    if (/AUTHORIZATION_FAILED$/.test(cause.type ?? "")) {
      return new SourceError(
        `Kafka denies access (${cause.type}); grant this user read on the topics and the group`,
      );
    }
    if (cause.type === "UNSUPPORTED_SASL_MECHANISM") {
      return new SourceError("Kafka does not offer this SASL mechanism; check KAFKA_SASL_MECHANISM");
    }
    if (cause.type === "INCONSISTENT_GROUP_PROTOCOL") {
      return new SourceError(
        "the consumer group has members that count other shards than SHARD says (or run another version): Kafka lets no " +
          "member of 2 shards into a group of 4. Give all members of one deployment the same number in SHARD; to go " +
          "from one number to another, start the new members with a KAFKA_GROUP_ID and folders of their own",
      );
    }
    if (UNTRUSTED.test(cause.code ?? "")) {
      return new SourceError(
        `the broker's certificate is not trusted (${cause.code}); check KAFKA_TLS_CA_FILE and the names in KAFKA_BROKERS`,
      );
    }
    cause = cause.originalError ?? (cause.cause as typeof cause);
  }
  return undefined;
}

/** The broker's words for what went wrong, from the outermost error inwards. */
export function kafkaErrorTypes(error: unknown): string[] {
  const types: string[] = [];
  for (let cause = error as KafkaTrouble | undefined; cause; ) {
    if (cause.type !== undefined) types.push(cause.type);
    cause = cause.originalError ?? (cause.cause as typeof cause);
  }
  return types;
}

/** True for an error of kafkajs: the broker's or the network's, not ours. */
export const isKafkaTrouble = (error: unknown): boolean =>
  (error as Error).name?.startsWith("KafkaJS") ?? false;

/** @throws Error the one given, or a clearer one, where it is none that passes by waiting for the broker */
export function requirePassing(error: unknown): void {
  const fatal = hopeless(error);
  if (fatal) throw fatal;
  if (!isKafkaTrouble(error)) throw error;
}
