import { randomUUID } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import helmet from "@fastify/helmet";
import Fastify, { type FastifyInstance, LogController } from "fastify";
import { HELMET_OPTIONS } from "../shared/http/helmet-options.ts";
import { PROBLEM_TYPE, problem } from "../shared/http/problem.ts";
import { problems } from "../shared/http/problems.ts";
import { limitWrongKeys } from "../shared/http/wrong-keys.ts";
import { type Logger, plainId } from "../shared/log.ts";
import { createChangeFeed } from "./change-feed.ts";
import { createFastLane } from "./fast-lane.ts";
import type { Keys } from "./keys.ts";
import { createResponder } from "./lead-response.ts";
import { authenticate } from "./plugins/authenticate.ts";
import { docs } from "./plugins/docs.ts";
import { limitPerKey } from "./plugins/rate-limit.ts";
import type { Presigner } from "./presign.ts";
import { REQUEST_ID } from "./request-id.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRoutes } from "./routes/health.ts";
import { leadRoute } from "./routes/lead.ts";
import { metricsRoute } from "./routes/metrics.ts";
import { type Views, ViewsUnavailable } from "./views.ts";

export interface ServerParts {
  readonly views: Views;
  readonly keys: Keys;
  readonly presigner: Presigner;
  readonly log: Logger;
  /** Requests that a key may make in a minute; 0 = no limit. */
  readonly ratePerMinute: number;
}

export interface LeadServer extends FastifyInstance {
  /** From now on no connection is kept open, and /health/ready says that this process is leaving. */
  drain(): void;
}

/** No request has a body, and none takes long to send. */
const HTTP_LIMITS = { maxHeaderSize: 16_384, headersTimeout: 10_000, requestTimeout: 10_000 };
const MOST_BODY_BYTES = 1_024;

/** The HTTP server, not listening yet. */
export function createServer({ views, keys, presigner, log, ratePerMinute }: ServerParts): LeadServer {
  let draining = false;
  const respond = createResponder(presigner);
  const fastLane = createFastLane(views, keys, respond);
  const server = Fastify({
    serverFactory: (handler) =>
      // A limit per key is counted behind the routing, so with one all requests go there.
      createHttpServer(HTTP_LIMITS, (request, response) => {
        // Each client is told to come back by another connection, which leads elsewhere by then.
        if (draining) response.shouldKeepAlive = false;
        if (ratePerMinute > 0 || !fastLane.answer(request, response)) handler(request, response);
      }),
    bodyLimit: MOST_BODY_BYTES,
    loggerInstance: log,
    requestIdHeader: false,
    genReqId: ({ headers }) => plainId(headers[REQUEST_ID]) ?? randomUUID(),
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: {
      // As long as an address can be, so that an id that is too long gets our 400 and not the router's own answer.
      maxParamLength: HTTP_LIMITS.maxHeaderSize,
      onBadUrl: (_path, _request, response) => {
        response.writeHead(400, { "content-type": PROBLEM_TYPE });
        response.end(JSON.stringify(problem(400, "The address is not valid percent-encoding.")));
      },
    },
  }) as unknown as FastifyInstance;
  const feed = createChangeFeed(views);
  // Streams never end by themselves: a server that closes ends them first.
  server.addHook("preClose", async () => feed.close());
  server.addHook("onRequest", async (request, reply) => {
    reply.header(REQUEST_ID, request.id);
  });
  problems(server, (error) =>
    error instanceof ViewsUnavailable
      ? { status: 503, detail: "The lead views can't be read right now. Try again shortly." }
      : undefined,
  );
  server.register(helmet, HELMET_OPTIONS);
  server.register(docs);
  healthRoutes(server, views, () => draining);
  metricsRoute(server, feed, fastLane);
  server.register(async (guarded) => {
    limitWrongKeys(guarded);
    if (ratePerMinute > 0) await limitPerKey(guarded, ratePerMinute);
    authenticate(guarded, keys);
    leadRoute(guarded, views, respond);
    eventRoutes(guarded, views, feed, keys);
  });
  return Object.assign(server, {
    drain(): void {
      draining = true;
    },
  });
}
