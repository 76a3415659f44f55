import type { FastifyInstance } from "fastify";
import { monotonic } from "../shared/clock.ts";
import type { Readiness } from "../shared/control.ts";
import { ProblemError } from "../shared/http/problem.ts";
import { createHttpServer, type HttpTimeouts } from "../shared/http/server.ts";
import type { Logger } from "../shared/log.ts";
import { shareConnections } from "./connection-shares.ts";
import { createChangeFeed, type FeedLimits } from "./feed/change-feed.ts";
import type { Keys } from "./keys.ts";
import { authenticate } from "./plugins/authenticate.ts";
import { docs } from "./plugins/docs.ts";
import { forward, type Shards } from "./plugins/forward.ts";
import { limitRate } from "./plugins/limit-rate.ts";
import { refuseRepeats } from "./plugins/refuse-repeats.ts";
import { streams } from "./plugins/streams.ts";
import { createPositionWaits } from "./position-waits.ts";
import type { Presigner } from "./presign.ts";
import type { createAsker } from "./primary.ts";
import { createQuotas } from "./quotas.ts";
import { createResponder } from "./representation.ts";
import { eventRoutes } from "./routes/events.ts";
import { findRoute } from "./routes/find.ts";
import { healthRoutes } from "./routes/health.ts";
import { leadRoutes } from "./routes/lead.ts";
import { createApiMetrics, metricsRoute } from "./routes/metrics.ts";
import { createStreamLimit } from "./stream-limit.ts";
import { type Views, ViewsUnavailable } from "./views.ts";

export interface ServerParts {
  readonly views: Views;
  readonly keys: Keys;
  readonly presigner: Presigner;
  readonly readiness: Readiness;
  readonly log: Logger;
  /** Requests that a key may make in a minute; 0 = no limit. */
  readonly ratePerMinute: number;
  readonly timeouts: HttpTimeouts;
  readonly trustedProxies: readonly string[];
  /** The producers' name of each event topic, by the catalogue's name. */
  readonly topics: ReadonlyMap<string, string>;
  /** Asks the primary process; undefined where this process is alone. */
  readonly ask: ReturnType<typeof createAsker>;
  /** Connections at once; undefined = no limit. */
  readonly mostConnections: number | undefined;
  /** Streams that a key may have open, over all workers. */
  readonly streamsPerKey: number;
  /** Where other workspaces' requests are passed on to; absent = this node serves all of them. */
  readonly shards?: Shards | undefined;
  /** What streams may keep waiting; absent = the defaults. */
  readonly feedLimits?: Partial<FeedLimits>;
}

/** Of all connections, what streams may take: the rest is for reads and health. */
const STREAMS_SHARE = 0.75;

export interface LeadServer extends FastifyInstance {
  /** From now on no connection is kept open, and /health/ready says that this process is leaving. */
  drain(): void;
}

/** The HTTP server, not listening yet. */
export function createServer(parts: ServerParts): LeadServer {
  const { views, keys, log, ratePerMinute, timeouts, trustedProxies, ask } = parts;
  let draining = false;
  let endPassedOn: () => void = () => undefined;
  const metrics = createApiMetrics();
  const known = unavailable(log);
  const quotas = createQuotas(ratePerMinute, ask);
  const respond = createResponder(parts.presigner, views.grow);
  const waits = createPositionWaits(views, parts.topics);
  const feed = createChangeFeed(views, parts.feedLimits);
  const { mostConnections: most, streamsPerKey: perKey } = parts;
  const inProcess = most === undefined ? undefined : Math.floor(most * STREAMS_SHARE);
  const limit = createStreamLimit({ perKey, inProcess }, ask);
  const server = createHttpServer({
    log,
    timeouts,
    trustedProxies,
    known,
    onAnswer: metrics.answered,
    // Each client is told to come back by another connection, which leads elsewhere by then.
    closesConnections: () => draining || connections.areFew(),
  });
  const connections = shareConnections(server.server, log, parts.mostConnections);
  const endStreams = () => {
    feed.close();
    endPassedOn();
  };
  server.addHook("preClose", async () => endStreams());
  server.register(docs);
  healthRoutes(server, views, readinessOf(parts), known, () => draining);
  metricsRoute(server, metrics, feed, ask);
  server.register(async (guarded) => {
    authenticate(guarded, keys, quotas, connections);
    // Each of them takes two connections.
    if (parts.shards) endPassedOn = forward(guarded, parts.shards, inProcess && Math.ceil(inProcess / 2));
    if (quotas.requests) limitRate(guarded, ratePerMinute, quotas.requests);
    refuseRepeats(guarded);
    leadRoutes(guarded, views, waits, respond);
    findRoute(guarded, views);
    guarded.register(async (streaming) => {
      streams(streaming, metrics.answered);
      eventRoutes(streaming, { views, feed, keys, limit, isDraining: () => draining });
    });
  });
  return Object.assign(server, {
    drain(): void {
      draining = true;
      // Streams never end by themselves: each client is told to come again, which leads elsewhere by then.
      endStreams();
    },
  });
}

/** Where databases take turns, ready is also: it is this one's turn. */
function readinessOf({ readiness, shards }: ServerParts): Pick<Readiness, "reason"> {
  if (!shards) return readiness;
  const waits = "another database owns this shard, or it is not known yet who does";
  return { reason: () => readiness.reason() ?? (shards.turn.isOurs() ? undefined : waits) };
}

const SAY_MS = 10_000;

/** Trouble with the view database is 503, and its reason is logged: at once where it is another one, else now and then. */
function unavailable(log: Logger): (error: Error) => ProblemError | undefined {
  let said = { reason: "", at: Number.NEGATIVE_INFINITY };
  return (error) => {
    const ofDatabase = String((error as { readonly code?: unknown }).code).startsWith("SQLITE_");
    if (!(error instanceof ViewsUnavailable || ofDatabase)) return undefined;
    const reason = error.message;
    if (reason !== said.reason || monotonic() - said.at > SAY_MS) {
      said = { reason, at: monotonic() };
      log.error({ reason }, "views can't be read: requests are answered 503");
    }
    return new ProblemError(503, "The lead views can't be read right now. Try again shortly.", {
      "retry-after": "1",
    });
  };
}
