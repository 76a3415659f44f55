import { jsonSchemaOf } from "../shared/events/json-schema.ts";
import { SECTIONS } from "../shared/view/change.ts";
import { LeadView, Status } from "../shared/view/lead-view.ts";

/** The HTTP API as OpenAPI 3.1, from the same Schemas that the views are held to. */
export function openApiDocument(): Record<string, unknown> {
  const { $schema: _, ...leadView } = jsonSchemaOf(LeadView, "LeadView");
  const problems = (...statuses: number[]) =>
    Object.fromEntries(
      statuses.map((status) => [
        String(status),
        {
          description: PROBLEMS[status],
          content: { "application/problem+json": { schema: ref("Problem") } },
        },
      ]),
    );
  const key = [{ apiKey: [] }];
  const leadId = {
    name: "leadId",
    in: "path",
    required: true,
    description: "The lead's id: 1 to 200 characters, none of them a control character.",
    schema: { type: "string", minLength: 1, maxLength: 200 },
  };
  const lastEventId = {
    name: "Last-Event-ID",
    in: "header",
    schema: { type: "string", pattern: "^\\d{1,16}$" },
  };
  const from = {
    name: "from",
    in: "query",
    description: "`start`: all views there are come first, and what follows without a gap.",
    schema: { enum: ["start"] },
  };
  const stream = {
    description:
      "Server-Sent Events. First `ready`; then `lead_view.changed`, with the view in its data, and `lead_view.erased`. " +
      "`reset`: this id was never given, forget what you keep, all there is follows; `caught_up`: it was told. `ended`: " +
      "come again with the last id.",
    content: { "text/event-stream": { schema: { type: "string" } } },
  };
  return {
    openapi: "3.1.0",
    info: {
      title: "Lead view",
      version: "1",
      description: "Precomputed lead views: one row read a request.",
    },
    components: {
      securitySchemes: { apiKey: { type: "apiKey", in: "header", name: "x-api-key" } },
      schemas: { LeadView: leadView, Problem: PROBLEM_SCHEMA },
    },
    paths: {
      "/api/v1/leads/{leadId}": {
        get: {
          summary: "Get a lead with all associated data",
          security: key,
          parameters: [
            leadId,
            { name: "If-None-Match", in: "header", schema: { type: "string" } },
            {
              name: "x-wait-for-position",
              in: "header",
              description: "topic/partition/offset of an event: the answer is the view after it, or 504.",
              schema: { type: "string" },
            },
          ],
          responses: {
            200: {
              description: "The lead's view",
              headers: { etag: { schema: { type: "string" } } },
              content: { "application/json": { schema: ref("LeadView") } },
            },
            304: { description: "The client has this version" },
            ...problems(400, 401, 404, 429, 503, 504),
          },
        },
      },
      "/api/v1/leads/{leadId}/events": {
        get: {
          summary: "A lead's changes as Server-Sent Events",
          security: key,
          parameters: [leadId, lastEventId, from],
          responses: { 200: stream, ...problems(400, 401, 404, 429, 503) },
        },
      },
      "/api/v1/lead-views/events": {
        get: {
          summary: "The changes of all of the workspace's leads as Server-Sent Events",
          security: key,
          parameters: [
            lastEventId,
            from,
            { name: "status", in: "query", schema: { enum: Status.literals } },
            {
              name: "changed",
              in: "query",
              description: `Fields with commas between: ${SECTIONS.join(", ")}`,
              schema: { type: "string" },
            },
          ],
          responses: { 200: stream, ...problems(400, 401, 429, 503) },
        },
      },
      "/health/live": { get: { summary: "The process answers", responses: { 200: HEALTH } } },
      "/health/ready": {
        get: { summary: "Views can be read", responses: { 200: HEALTH, ...problems(503) } },
      },
    },
  };
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

const PROBLEM_SCHEMA = {
  type: "object",
  description: "RFC 9457 problem details",
  required: ["type", "title", "status", "detail"],
  additionalProperties: false,
  properties: {
    type: { const: "about:blank" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
  },
};

const HEALTH = {
  description: "So it is",
  content: {
    "application/json": {
      schema: {
        type: "object",
        required: ["status"],
        additionalProperties: false,
        properties: { status: { type: "string" } },
      },
    },
  },
};

const PROBLEMS: Readonly<Record<number, string>> = {
  400: "What was sent can't be right",
  401: "No key, or one that is not known",
  404: "No such lead, or not one of this key's workspace",
  429: "Too many requests",
  503: "The views can't be read right now",
  504: "The event was not folded within the time that a request waits",
};
