import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** One partition's part of a Produce request, as it passes. */
export interface Produced {
  readonly topic: string;
  readonly partition: number;
}

/**
 * What is done to a Produce request: let through; its answer lost; the connection cut before the broker has it, or after;
 * held back for so many milliseconds; or answered by us with one of the protocol's error codes, the broker not asked.
 */
export type Fault =
  | "lose answer"
  | "cut before"
  | "cut after"
  | { readonly delayMs: number }
  | { readonly error: number };

export const NOT_ENOUGH_REPLICAS = 19;
export const REQUEST_TIMED_OUT = 7;

const PRODUCE = 0;
const HOST = Buffer.from("127.0.0.1");

/**
 * Stands between clients and a broker of this machine, and makes trouble with Produce requests. It knows as much of the
 * protocol as that takes: frames, correlation ids, the head of a Produce request in the versions that kafkajs speaks (3 to
 * 7), and the broker's port in whatever answer tells of it.
 */
export async function startKafkaProxy(broker: string, faultOf: (produced: Produced) => Fault | undefined) {
  const brokerPort = Number(broker.split(":")[1]);
  const sockets = new Set<Socket>();
  let refusing = false;
  let port = 0;
  const server = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const upstream = connect(brokerPort, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
    }
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
    /** What happens to the answer of a request, by its correlation id. */
    const answers = new Map<number, "lose" | "cut">();
    let turn: Promise<unknown> = Promise.resolve();
    readFrames(client, (frame) => {
      // In order, whatever a delay does.
      turn = turn.then(async () => {
        if (frame.readInt16BE(4) !== PRODUCE) return void upstream.write(frame);
        const correlation = frame.readInt32BE(8);
        const request = producedOf(frame);
        const fault = request.produced.map(faultOf).find((one) => one !== undefined);
        if (fault === "cut before") return cut();
        if (fault === "cut after") answers.set(correlation, "cut");
        else if (fault === "lose answer") answers.set(correlation, "lose");
        else if (fault !== undefined && "error" in fault)
          return void client.write(refusal(correlation, request, fault.error));
        else if (fault !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
        upstream.write(frame);
      });
    });
    readFrames(upstream, (frame) => {
      const what = answers.get(frame.readInt32BE(4));
      if (what === "cut") return cut();
      if (what === "lose") return;
      for (let at = frame.indexOf(HOST); at >= 0; at = frame.indexOf(HOST, at + 1)) {
        const portAt = at + HOST.length;
        if (portAt + 4 <= frame.length && frame.readInt32BE(portAt) === brokerPort)
          frame.writeInt32BE(port, portAt);
      }
      client.write(frame);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as { port: number }).port;
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    brokers: `127.0.0.1:${port}`,
    /** From now on, or no longer, nobody is let in, and whoever was is cut off. */
    refuse(now: boolean): void {
      refusing = now;
      if (now) cutAll();
    },
    cutAll,
    async stop(): Promise<void> {
      const closed = once(server, "close");
      server.close();
      cutAll();
      await closed;
    },
  };
}

function readFrames(socket: Socket, onFrame: (frame: Buffer) => void): void {
  let waiting: Buffer[] = [];
  let bytes = 0;
  let wanted = 4;
  socket.on("data", (data: Buffer) => {
    waiting.push(data);
    bytes += data.length;
    while (bytes >= wanted) {
      const all = waiting.length === 1 ? (waiting[0] as Buffer) : Buffer.concat(waiting);
      const end = 4 + all.readInt32BE(0);
      if (all.length < end) {
        waiting = [all];
        wanted = end;
        return;
      }
      onFrame(Buffer.from(all.subarray(0, end)));
      waiting = [all.subarray(end)];
      bytes = all.length - end;
      wanted = 4;
    }
  });
}

interface ProduceRequest {
  readonly version: number;
  readonly produced: readonly Produced[];
}

/** The head of a Produce request: client id, transactional id, acks, timeout, and then by topic the partitions. */
function producedOf(frame: Buffer): ProduceRequest {
  const version = frame.readInt16BE(6);
  let at = 12;
  const text = () => {
    const length = frame.readInt16BE(at);
    at += 2;
    if (length < 0) return "";
    at += length;
    return frame.toString("utf8", at - length, at);
  };
  const number = () => {
    at += 4;
    return frame.readInt32BE(at - 4);
  };
  text();
  text();
  at += 6;
  const produced: Produced[] = [];
  for (let topics = number(); topics > 0; topics--) {
    const topic = text();
    for (let partitions = number(); partitions > 0; partitions--) {
      produced.push({ topic, partition: number() });
      at += number();
    }
  }
  return { version, produced };
}

/** A Produce answer that refuses all of a request. */
function refusal(correlation: number, { version, produced }: ProduceRequest, error: number): Buffer {
  const parts: Buffer[] = [int32(correlation), int32(produced.length)];
  for (const { topic, partition } of produced) {
    const name = Buffer.from(topic);
    const fields = Buffer.alloc(version >= 5 ? 30 : 22, 0xff);
    fields.writeInt32BE(partition, 0);
    fields.writeInt16BE(error, 4);
    const length = Buffer.alloc(2);
    length.writeInt16BE(name.length);
    parts.push(length, name, int32(1), fields);
  }
  parts.push(int32(0));
  const body = Buffer.concat(parts);
  return Buffer.concat([int32(body.length), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
