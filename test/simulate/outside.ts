import { recordHash, type SourceRecord } from "../../projector/source/source.ts";
import { currentMachine } from "./machine.ts";

// What is outside of the program: the log that others write, the topics and receivers that others read.

/** How a place that things are sent to behaves. */
export type Mood = "well" | "down" | "slow" | "refusing" | "losing answers";

/** A message as the topic of views, or that of dead letters, has it. */
export interface Message {
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** By the machine's clock. */
  readonly at: number;
}

/** A webhook as a receiver took it. */
export interface Hook {
  readonly url: string;
  readonly id: string;
  readonly body: string;
}

export const PARTITIONS = 2;

/** All that is outside, for one run. */
export class Outside {
  readonly log = new Map<string, SourceRecord[]>();
  readonly topics = new Map<string, Message[]>();
  readonly hooks: Hook[] = [];
  broker: Mood = "well";
  receiver: Mood = "well";
  /** Told of each message and webhook as it arrives. */
  onMessage: (topic: string, message: Message) => void = () => undefined;
  onHook: (hook: Hook) => void = () => undefined;

  append(record: Omit<SourceRecord, "offset" | "timestamp">): SourceRecord {
    const name = `${record.topic}/${record.partition}`;
    const records = this.log.get(name) ?? [];
    this.log.set(name, records);
    const whole = { ...record, offset: records.length, timestamp: currentMachine().wall() };
    records.push(whole);
    hashes.set(whole, recordHash(whole));
    return whole;
  }

  publish(topic: string, message: Message): void {
    const messages = this.topics.get(topic) ?? [];
    this.topics.set(topic, messages);
    messages.push(message);
    this.onMessage(topic, message);
  }

  receive(hook: Hook): void {
    this.hooks.push(hook);
    this.onHook(hook);
  }

  records(): number {
    let count = 0;
    for (const records of this.log.values()) count += records.length;
    return count;
  }
}

const hashes = new WeakMap<SourceRecord, string>();
export const hashOf = (record: SourceRecord): string => hashes.get(record) as string;

let outside = new Outside();

export const currentOutside = (): Outside => outside;

export function newOutside(): Outside {
  outside = new Outside();
  return outside;
}
