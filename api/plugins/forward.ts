import { PassThrough, type Readable } from "node:stream";
import replyFrom from "@fastify/reply-from";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import { REQUEST_ID } from "../../shared/http/server.ts";
import { type Shard, shardName, shardOfWorkspace } from "../../shared/shard.ts";
import { ONWARD, type Onward, type ShardNodes } from "../shard-nodes.ts";
import type { Turn } from "../turn.ts";

/** Where the shards are, as a node knows it. */
export interface Shards {
  readonly shard: Shard;
  /** The base addresses of each shard's nodes; empty = they are not known. */
  readonly urls: readonly (readonly string[])[];
  readonly turn: Pick<Turn, "isOurs">;
  readonly nodes: ShardNodes;
}

/** By what a request says that it was passed on (RFC 9110, section 7.6.3). */
const VIA = "1.1 lead-view";
const PASSED_ON = /(^|[ ,])lead-view\b/;
/** By what a node says that the shard's owner is another one. */
export const STANDBY = "x-lead-view-standby";
/** Milliseconds; reply-from takes 0 for no retry. */
const AT_ONCE = 1;

/** What concerns one connection, or a body that no request of ours has. */
const NOT_PASSED_ON = [
  "connection",
  "content-length",
  "content-type",
  "expect",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/**
 * Passes requests on to the shard of their key's workspace, by one hop (rule: a workspace is one shard's). The other node
 * checks the key itself, and counts the request and its stream against the key's limits; here nothing is counted.
 * @param mostStreams how many streams may be passed on at once; undefined = no limit
 * @returns a function that ends the streams that are passed on
 */
export function forward(
  server: FastifyInstance,
  { shard, urls, turn, nodes }: Shards,
  mostStreams: number | undefined,
): () => void {
  const streams = new Set<() => void>();
  server.register(replyFrom, { undici: nodes as never, disableRequestLogging: true });
  server.addHook("onClose", () => nodes.close());
  server.addHook("onRequest", (request, reply, done) => {
    const index = shardOfWorkspace(request.workspaceId, shard.count);
    if (index === shard.index && turn.isOurs()) {
      done();
      return;
    }
    const refusal = refusalOf(request, index);
    if (refusal) done(refusal as never);
    else passOn(request, reply, urls[index] as readonly string[]);
  });

  function refusalOf({ raw, routeOptions }: FastifyRequest, index: number): ProblemError | undefined {
    const owner = shardName({ index, count: shard.count });
    const later = { "retry-after": "1" };
    if (PASSED_ON.test(raw.headers.via ?? "")) {
      if (index === shard.index)
        return new ProblemError(503, `This node is a standby of shard ${owner}.`, {
          ...later,
          [STANDBY]: owner,
        });
      return new ProblemError(
        508,
        `This request was passed on already, and is of shard ${owner}; this node is ${shardName(shard)}: SHARD and ` +
          "SHARD_URLS of the nodes contradict each other.",
      );
    }
    if (urls.length === 0 && index === shard.index)
      return new ProblemError(503, `This node is a standby of shard ${owner}.`, later);
    if (urls.length === 0)
      return new ProblemError(
        421,
        `This node is shard ${shardName(shard)}; the key's workspace is in ${owner}.`,
      );
    if (isStream(routeOptions.url) && mostStreams !== undefined && streams.size >= mostStreams)
      return new ProblemError(
        503,
        "This node passes on all the streams that it can. Try another one.",
        later,
      );
    return undefined;
  }

  function passOn(request: FastifyRequest, reply: FastifyReply, origins: readonly string[]): void {
    const leaving = new AbortController();
    reply.raw.once("close", () => leaving.abort());
    const onward: Onward = {
      origins,
      path: request.raw.url as string,
      signal: leaving.signal,
      streams: isStream(request.routeOptions.url),
      tried: 0,
    };
    reply.from("/", {
      getUpstream: () => origins[0] as string,
      rewriteRequestHeaders: (_request, headers) =>
        ({ ...headersOf(request, headers as Headers), [ONWARD]: onward }) as never,
      rewriteHeaders: ({ connection: _, "keep-alive": __, ...headers }) => headers,
      retryDelay: ({ err, res }) => (leaving.signal.aborted ? null : retryOf(onward, err, res as never)),
      onResponse: (_request, _reply, res) => {
        const { stream } = res as unknown as { stream: Readable };
        reply.send(onward.streams && reply.statusCode === 200 ? endable(stream) : stream);
      },
      onError: (_reply, { error }) => reply.send(problemOf(error, request)),
    });
  }

  /** The stream as it comes, which can be ended here: its client comes again, and finds another node. */
  function endable(from: Readable): Readable {
    const through = new PassThrough();
    const end = () => {
      from.unpipe(through);
      through.end();
      from.destroy();
    };
    streams.add(end);
    from.once("error", (error) => through.destroy(error));
    from.once("close", () => streams.delete(end));
    through.once("close", () => from.destroy());
    return from.pipe(through);
  }

  return () => {
    for (const end of [...streams]) end();
  };
}

type Headers = Record<string, string | string[] | undefined>;

const isStream = (route: string | undefined): boolean => route?.endsWith("/events") ?? false;

function headersOf(request: FastifyRequest, given: Headers): Headers {
  const headers = { ...given };
  for (const name of NOT_PASSED_ON) delete headers[name];
  const { via, "x-forwarded-for": before } = headers;
  const client = request.raw.socket.remoteAddress;
  headers.via = via === undefined ? VIA : `${via}, ${VIA}`;
  headers["x-forwarded-for"] = [before, client].filter((one) => one !== undefined).join(", ");
  headers[REQUEST_ID] = request.id;
  return headers;
}

interface Answered {
  readonly statusCode: number;
  readonly headers: Headers;
  readonly stream: Readable;
}

/** Another address of the shard is tried, or a connection that was closed under the request's feet made anew. */
function retryOf(
  { tried, origins }: Onward,
  error: (Error & { readonly code?: string }) | null,
  answer: Answered | undefined,
): number | null {
  const again = error?.code === "UND_ERR_SOCKET" || error?.code === "ECONNRESET";
  if (error) return tried < origins.length || (again && tried <= origins.length) ? AT_ONCE : null;
  if (answer?.headers[STANDBY] === undefined || tried >= origins.length) return null;
  answer.stream.resume();
  return AT_ONCE;
}

/** Nothing of the error is told but what the client can do. */
function problemOf(error: Error & { readonly statusCode?: number }, request: FastifyRequest): ProblemError {
  const later = { "retry-after": "1" };
  if (error.statusCode === 504 && !isConnectTimeout(error))
    return new ProblemError(
      504,
      "The node of this key's workspace did not answer in time. Try again.",
      later,
    );
  const shard = request.workspaceId === "" ? "" : " of this key's workspace";
  return new ProblemError(503, `The node${shard} can't be reached. Try again shortly.`, later);
}

const isConnectTimeout = ({ cause }: Error): boolean =>
  (cause as { code?: string } | undefined)?.code === "UND_ERR_CONNECT_TIMEOUT";
