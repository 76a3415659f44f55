import { ENCODINGS } from "./compress.ts";

// What the paths of the API's document share: parameters, headers, schemas and answers.

export const KEY = [{ apiKey: [] }];
export const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
export const parameter = (name: keyof typeof PARAMETERS) => PARAMETERS[name];

export const PARAMETERS = {
  leadId: {
    name: "leadId",
    in: "path",
    required: true,
    description: "The lead's id: 1 to 200 characters, none of them a control character.",
    schema: { type: "string", minLength: 1, maxLength: 200 },
  },
  ifNoneMatch: {
    name: "If-None-Match",
    in: "header",
    description: "Entity tags that the client has, or `*`",
    schema: { type: "string" },
  },
  acceptEncoding: {
    name: "Accept-Encoding",
    in: "header",
    description: `What the body may be encoded in: ${ENCODINGS.join(", ")}`,
    schema: { type: "string" },
  },
  position: {
    name: "x-wait-for-position",
    in: "header",
    description:
      "`topic/partition/offset` of an event, as Kafka's producer returned it: the answer is the view after that event, " +
      "or 504 where it is not folded within 2 seconds.",
    schema: { type: "string" },
  },
  version: {
    name: "x-wait-for-version",
    in: "header",
    description:
      "The number of a change, of this lead or of another one, as streams and webhooks tell it: the answer is no older, " +
      "whichever node gives it, or 504 where it does not come within 2 seconds.",
    schema: { type: "string", pattern: "^\\d{1,16}$" },
  },
  requestId: {
    name: "x-request-id",
    in: "header",
    description: "Comes back with the answer, and stands in our log lines",
    schema: { type: "string" },
  },
  from: {
    name: "from",
    in: "query",
    description: "`start`: all views there are come first, and what follows without a gap",
    schema: { enum: ["start"] },
  },
  lastEventId: {
    name: "Last-Event-ID",
    in: "header",
    description: "The id of the last event that was seen",
    schema: { type: "string", pattern: "^\\d{1,16}$" },
  },
} as const;

export const HEADERS = {
  etag: {
    description: "Names these bytes; another one, when they change",
    schema: { type: "string" },
  },
  "x-request-id": { description: "The request's id, or one that was made", schema: { type: "string" } },
  "content-encoding": { description: "Absent = as it is", schema: { enum: ENCODINGS } },
} as const;
export const headers = (...names: (keyof typeof HEADERS)[]) =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

export const FOUND_SCHEMA = {
  type: "object",
  required: ["leads", "nextCursor"],
  additionalProperties: false,
  properties: {
    leads: {
      type: "array",
      items: {
        type: "object",
        required: ["lead", "status"],
        additionalProperties: false,
        properties: {
          lead: { $ref: "#/components/schemas/LeadView/properties/lead" },
          status: { $ref: "#/components/schemas/LeadView/properties/status" },
        },
      },
    },
    nextCursor: {
      type: ["string", "null"],
      description: "The cursor of the next page; null on the last one",
    },
  },
};

export const PROBLEM_SCHEMA = {
  type: "object",
  description: "RFC 9457 problem details",
  required: ["type", "title", "status", "detail"],
  additionalProperties: false,
  properties: {
    type: { const: "about:blank" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string", description: "What is wrong, and what the client can do" },
  },
};

export const STREAM = {
  description: "A stream of events, until one side closes it",
  headers: headers("x-request-id"),
  content: { "text/event-stream": { schema: { type: "string" } } },
};

export const health = (description: string) => ({
  description,
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
});

const PROBLEMS: Readonly<Record<number, string>> = {
  400: "The request is not valid; the detail says what is wrong",
  401: "There is no key, or one that is not known",
  404: "There is no such lead in the key's workspace",
  421: "This node does not know the node of the key's workspace (SHARD_URLS)",
  429: "Too many requests, connections or waits of this key, or too many wrong keys from this address",
  503: "The views, or the node of the key's workspace, can't be read right now",
  504: "The event was not folded, or the change not here, within the time that a request waits, or the node of the key's workspace did not answer",
  508: "The request was passed on already, and the nodes contradict each other about its workspace's shard",
};

export const problems = (...statuses: number[]) =>
  Object.fromEntries(
    statuses.map((status) => [
      String(status),
      {
        description: PROBLEMS[status],
        content: { "application/problem+json": { schema: ref("Problem") } },
      },
    ]),
  );
