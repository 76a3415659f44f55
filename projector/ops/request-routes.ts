import * as Schema from "@effect/schema/Schema";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { openControl } from "../../shared/control.ts";
import { ProblemError } from "../../shared/http/problem.ts";
import type { Kinds } from "../owner/handlers.ts";
import { CONTROL_WAIT_MS } from "../owner/owner.ts";
import { createRequests, type Requests } from "../owner/requests.ts";
import { isPassing } from "../store/trouble.ts";
import type { RouteParts } from "./ops-routes.ts";

const Text = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(1_100));
const Generation = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1));
const ById = Schema.Struct({ id: Text });
const DAY_MS = 86_400_000;

/** What can be asked for from the page, with what each takes. */
const ACTIONS = {
  retry: Schema.Struct({ letter: Text }),
  discard: Schema.Struct({ letter: Text }),
  refold: Schema.Struct({ lead: Text }),
  resend: Schema.Struct({ relay: Text, name: Schema.optionalKey(Text) }),
  forget: Schema.Struct({ relay: Text, name: Text }),
  switch: Schema.Struct({ generation: Generation }),
  remove: Schema.Struct({ generation: Generation }),
  rebuild: Schema.Struct({
    switch: Schema.Boolean,
    acceptLoss: Schema.Boolean,
    acceptDeadLetters: Schema.Boolean,
  }),
  "webhooks.test": ById,
  "webhooks.enable": ById,
  "webhooks.disable": ById,
  "webhooks.remove": ById,
  "webhooks.rotate-secret": Schema.Struct({ id: Text, graceMs: Schema.Literal(DAY_MS) }),
  "webhooks.redeliver": Schema.Struct({ id: Text, lead: Schema.optionalKey(Text) }),
  "webhooks.resume": Schema.Struct({}),
} satisfies { readonly [K in keyof Kinds]?: Schema.Top };

const Action = Schema.Struct({
  kind: Schema.Literals(Object.keys(ACTIONS) as (keyof typeof ACTIONS)[]),
  arguments: Schema.Unknown,
  /** Who asks, as they call themselves: everybody has the same key. */
  by: Schema.optionalKey(
    Schema.String.check(
      Schema.isPattern(/^[\p{L}\p{N} ._@-]{1,60}$/u, { message: "a name: letters, digits, . _ @ -" }),
    ),
  ),
});

const MOST_BODY_BYTES = 16_384;

interface ByNumber {
  Params: { readonly id: string };
}

/**
 * What the page asks the owner to do. Each answer is at once, with the request's number: how it went is asked by that,
 * since a rebuild takes hours.
 */
export function requestRoutes(server: FastifyInstance, { config }: Pick<RouteParts, "config">): void {
  const { databaseDir } = config;
  const withRequests = <T>(work: (requests: Requests) => T): T => {
    const control = openControl(databaseDir, { waitMs: CONTROL_WAIT_MS });
    try {
      return work(createRequests(control));
    } catch (error) {
      if (!isPassing(error)) throw error;
      throw new ProblemError(503, `The request can't be written down just now: ${(error as Error).message}.`);
    } finally {
      control.close();
    }
  };
  const found = (requests: Requests, { params: { id } }: FastifyRequest<ByNumber>) => {
    const request = /^\d{1,15}$/.test(id) ? requests.get(Number(id)) : undefined;
    if (request) return request;
    throw new ProblemError(404, "There is no such request.");
  };

  server.post("/ops/api/requests", { bodyLimit: MOST_BODY_BYTES }, ({ body, ip }, reply) => {
    const { kind, args, by } = actionOf(body);
    const askedBy = `the operator's page (${by === undefined ? ip : `${by}, ${ip}`})`;
    reply.code(202);
    return { request: withRequests((requests) => requests.add(kind, args, askedBy)) };
  });

  server.get<ByNumber>("/ops/api/requests/:id", (asked) =>
    withRequests((requests) => {
      const { id, kind, state, progress, error, result } = found(requests, asked);
      if (result !== null) requests.forgetResult(id);
      return { request: id, kind, state, progress: parsed(progress), error, result: parsed(result) };
    }),
  );

  server.post<ByNumber>("/ops/api/requests/:id/stop", (asked) =>
    withRequests((requests) => {
      const { id } = found(requests, asked);
      if (!requests.cancel(id)) throw new ProblemError(409, "The request has ended already.");
      return { request: id };
    }),
  );
}

/** @throws ProblemError 400 saying what a request takes */
function actionOf(body: unknown): { kind: string; args: object; by: string | undefined } {
  try {
    const { kind, by, arguments: given } = Schema.decodeUnknownSync(Action)(body);
    const args = Schema.decodeUnknownSync(ACTIONS[kind] as Schema.Decoder<object>)(given);
    return { kind, args, by };
  } catch (error) {
    throw new ProblemError(400, `That can't be asked for: ${(error as Error).message}`);
  }
}

const parsed = (json: string | null): unknown => (json === null ? null : JSON.parse(json));
