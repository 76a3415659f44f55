import { Agent, type Dispatcher } from "undici";

// The connections to other nodes, as @fastify/reply-from takes them: it knows neither how to try another address, nor that
// a client left before there was an answer, and it changes addresses on the way (`%2e` is a lead's id, not a folder).

const CONNECT_MS = 1_000;
/** Longer than a request may wait for a position. */
const ANSWER_MS = 5_000;
/** Below the other side's, which is to be the one that is still open. */
const IDLE_MS = 60_000;

/** What a request on its way to another node carries beside its headers. */
export interface Onward {
  /** The nodes' addresses, in the order in which they are tried. */
  readonly origins: readonly string[];
  /** The request's address, as it came. */
  readonly path: string;
  /** Aborts where the client is gone. */
  readonly signal: AbortSignal;
  /** True where the answer has no end. */
  readonly streams: boolean;
  /** How many addresses were tried. */
  tried: number;
}

export const ONWARD = Symbol("onward");

type Headers = Record<string, string | string[] | undefined> & { [ONWARD]?: Onward };
type Answer = (error: Error | null, data: Dispatcher.ResponseData<null>) => void;

export interface ShardNodes {
  /** Requests the address that is next; as undici's, for reply-from. */
  request(options: Dispatcher.RequestOptions, answer: Answer): void;
  close(): Promise<void>;
}

/** @param answerMs how long a node may take to begin its answer */
export function openShardNodes({ answerMs = ANSWER_MS } = {}): ShardNodes {
  const agent = new Agent({
    pipelining: 1,
    connect: { timeout: CONNECT_MS },
    headersTimeout: answerMs,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
  });
  return {
    request(options, answer) {
      const { [ONWARD]: onward, ...headers } = options.headers as Headers;
      if (onward === undefined) throw new Error("a request is on its way to nowhere");
      const { origins, path, signal, streams } = onward;
      const origin = origins[onward.tried++ % origins.length] as string;
      const { host } = new URL(origin);
      const bodyTimeout = streams ? 0 : answerMs;
      const { method } = options;
      agent.request({ origin, path, method, signal, bodyTimeout, headers: { ...headers, host } }, answer);
    },
    close: () => agent.destroy(),
  };
}
