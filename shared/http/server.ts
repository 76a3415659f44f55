import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { monotonic, randomId } from "../clock.ts";
import { type Logger, plainId } from "../log.ts";
import { answerBrokenRequests, type Unrouted, writeProblem } from "./broken-requests.ts";
import { PROBLEM_TYPE, ProblemError, problem } from "./problem.ts";
import { problems } from "./problems.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Milliseconds, by `monotonic()`. */
    startedAt: number;
  }
}

/** How long a connection is kept, in milliseconds. */
export interface HttpTimeouts {
  /** A request that is not sent whole by then is answered 408, within a tenth more. */
  readonly requestMs: number;
  /** An idle connection is closed after it. */
  readonly keepAliveMs: number;
}

export interface HttpServerOptions {
  readonly log: Logger;
  readonly timeouts: HttpTimeouts;
  /** Addresses and networks whose `X-Forwarded-For` is believed; absent = nobody's. */
  readonly trustedProxies?: readonly string[];
  /** What the server has to say of errors of its own. */
  readonly known?: (error: Error) => ProblemError | undefined;
  /** Told of each answer: the route's pattern, or "none" where the request reached none. */
  readonly onAnswer?: (route: string, status: number, seconds: number) => void;
  /** True where clients are to come back by another connection. */
  readonly closesConnections?: () => boolean;
}

/** Correlates a request with its log lines, here and in front of us; sent back with the answer. */
export const REQUEST_ID = "x-request-id";
const MOST_HEADER_BYTES = 16_384;
/** No request of ours has a body to speak of. */
const MOST_BODY_BYTES = 1_024;
const NONE = "none";

/**
 * An HTTP server of ours, not listening yet: each answer, Node's own too, has a request id and `nosniff`, is a problem
 * where it is an error, and is told to `onAnswer`.
 *
 * Fastify gets no logger: with one it makes a child of it and two listeners for each request, a twentieth of a plain
 * read's cost. What is to be logged is logged here, by `log`.
 */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { log, timeouts, trustedProxies = [], known, onAnswer = () => undefined } = options;
  const { closesConnections = () => false } = options;
  const unrouted: Unrouted = (status) => onAnswer(NONE, status, 0);
  const server = Fastify({
    http: {
      maxHeaderSize: MOST_HEADER_BYTES,
      headersTimeout: timeouts.requestMs,
      requestTimeout: timeouts.requestMs,
      // Node's own look every 30 seconds would make 10 seconds 40.
      connectionsCheckingInterval: Math.ceil(timeouts.requestMs / 10),
      // Two of a kind are joined by a comma, so that a second Host header can be seen; a missing one is answered here.
      joinDuplicateHeaders: true,
      requireHostHeader: false,
    },
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    bodyLimit: MOST_BODY_BYTES,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    // A server that closes answers what still comes, and says that the connection ends.
    return503OnClosing: false,
    requestIdHeader: false,
    genReqId: ({ headers }) => plainId(headers[REQUEST_ID]) ?? randomId(),
    clientErrorHandler: answerBrokenRequests(unrouted),
    routerOptions: {
      // As long as an address can be, so that an id that is too long gets a 400 and not the router's own answer.
      maxParamLength: MOST_HEADER_BYTES,
      onBadUrl: (_path, request, response) =>
        writeProblem(request, response, unrouted, 400, "The address is not valid percent-encoding."),
    },
  }) as FastifyInstance;
  server.server.on("checkExpectation", (request, response) =>
    writeProblem(request, response, unrouted, 417, "Only Expect: 100-continue is understood."),
  );
  problems(server, log, known);
  server.decorateRequest("startedAt", 0);
  const methodsAt = knownPaths(server);

  server.addHook("onRequest", (request, reply, done) => {
    request.startedAt = monotonic();
    reply.header(REQUEST_ID, request.id);
    reply.header("x-content-type-options", "nosniff");
    if (closesConnections()) reply.header("connection", "close");
    if (!hasOneHost(request)) {
      if (request.is404) unrouted(400);
      done(new ProblemError(400, "Send one Host header.") as never);
    } else if (request.is404) {
      const refusal = refusalOf(request, methodsAt(request.url));
      unrouted(refusal.statusCode);
      done(refusal as never);
    } else done();
  });

  server.addHook("onRoute", (route) => {
    const { url, onSend = [] } = route;
    route.onSend = [
      ...(Array.isArray(onSend) ? onSend : [onSend]),
      (request, reply, payload, done) => {
        onAnswer(url, reply.statusCode, (monotonic() - request.startedAt) / 1_000);
        done(null, payload);
      },
    ];
  });

  // A route that finds nothing, such as that of a page's files.
  server.setNotFoundHandler((_request, reply) => {
    unrouted(404);
    return reply.code(404).type(PROBLEM_TYPE).send(problem(404, NOTHING_HERE));
  });
  return server;
}

const NOTHING_HERE = "There is nothing at this address.";

/** RFC 9112, section 3.2: exactly one; HTTP/1.0 may do without. */
function hasOneHost({ raw: { headers, httpVersionMinor } }: FastifyRequest): boolean {
  const { host } = headers;
  return host === undefined ? httpVersionMinor === 0 : !host.includes(", ");
}

function refusalOf({ method }: FastifyRequest, methods: readonly string[]): ProblemError {
  if (methods.length === 0) return new ProblemError(404, NOTHING_HERE);
  const allow = methods.join(", ");
  return new ProblemError(405, `${method} is not for this address; ${allow} are.`, { allow });
}

/** Notes the routes as they are added; the function tells which methods an address has. */
function knownPaths(server: FastifyInstance): (address: string) => string[] {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];
  server.addHook("onRoute", ({ url, method }) => {
    const path = url
      .split("/")
      .map((part) =>
        part === "*" ? ".*" : part.startsWith(":") ? "[^/]*" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"),
      )
      .join("/");
    routes.push({ pattern: new RegExp(`^${path}$`), methods: [method].flat() });
  });
  return (address) => {
    const [path = ""] = address.split("?");
    const found = routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods);
    return [...new Set(found)].sort();
  };
}
