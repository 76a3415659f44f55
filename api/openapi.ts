import { jsonSchemaOf } from "../shared/events/json-schema.ts";
import { WRONG_KEYS_PER_MINUTE } from "../shared/http/wrong-keys.ts";
import { SECTIONS } from "../shared/view/change.ts";
import { LeadView, Status } from "../shared/view/lead-view.ts";
import seedResponse from "../shared/view/seed-response.json" with { type: "json" };
import { ENCODINGS } from "./compress.ts";
import {
  FOUND_SCHEMA,
  HEADERS,
  headers,
  health,
  KEY,
  PARAMETERS,
  PROBLEM_SCHEMA,
  parameter,
  problems,
  ref,
  STREAM,
} from "./openapi-components.ts";
import type { Section } from "./representation.ts";
import { DEFAULT_LIMIT, MOST_LEADS } from "./routes/find.ts";

/** What any node may have to say of a request for a workspace. */
const ANYWHERE = [421, 429, 503, 504, 508];

/** The HTTP API as OpenAPI 3.1, from the same Schemas that the views are held to. */
export function openApiDocument(): Record<string, unknown> {
  const { $schema: _, ...leadView } = jsonSchemaOf(LeadView, "LeadView");
  return {
    openapi: "3.1.0",
    info: {
      title: "Lead view",
      version: "1",
      summary: "Leads with all their associated data, precomputed: one row read a request.",
      description: DESCRIPTION,
    },
    tags: [
      { name: "Leads", description: "A lead, its parts, and finding leads" },
      { name: "Changes", description: "Changed leads as Server-Sent Events" },
      { name: "Operation", description: "Health and metrics" },
    ],
    components: {
      securitySchemes: {
        apiKey: { type: "apiKey", in: "header", name: "x-api-key", description: "A workspace's API key" },
      },
      schemas: { LeadView: { ...leadView, examples: [seedResponse] }, Problem: PROBLEM_SCHEMA },
      parameters: PARAMETERS,
      headers: HEADERS,
    },
    paths: {
      "/api/v1/leads/{leadId}": read({
        operationId: "getLead",
        summary: "Get a lead with all associated data",
        description:
          "The lead's full checklist, documents, action logs, matching leads and scheduling state, as one object.",
        content: { schema: ref("LeadView"), example: seedResponse },
      }),
      "/api/v1/leads/{leadId}/checklist": section("checklistItems", "a lead's checklist, grouped"),
      "/api/v1/leads/{leadId}/documents": section("documents", "a lead's documents, with download URLs"),
      "/api/v1/leads/{leadId}/action-logs": section("actionLogs", "a lead's 100 most recent action logs"),
      "/api/v1/leads": find(),
      "/api/v1/leads/{leadId}/events": {
        get: {
          operationId: "streamLead",
          tags: ["Changes"],
          summary: "Stream a lead's changes",
          description: STREAM_DESCRIPTION,
          security: KEY,
          parameters: [
            parameter("leadId"),
            parameter("lastEventId"),
            parameter("from"),
            parameter("requestId"),
          ],
          responses: { 200: STREAM, ...problems(400, 401, 404, ...ANYWHERE) },
        },
      },
      "/api/v1/lead-views/events": {
        get: {
          operationId: "streamWorkspace",
          tags: ["Changes"],
          summary: "Stream the changes of all of the workspace's leads",
          description: STREAM_DESCRIPTION,
          security: KEY,
          parameters: [
            parameter("lastEventId"),
            parameter("from"),
            { name: "status", in: "query", schema: { enum: Status.literals } },
            {
              name: "changed",
              in: "query",
              description: `Only changes of these fields, with commas between: ${SECTIONS.join(", ")}`,
              schema: { type: "string" },
            },
            parameter("requestId"),
          ],
          responses: { 200: STREAM, ...problems(400, 401, ...ANYWHERE) },
        },
      },
      "/health/live": {
        get: {
          operationId: "isLive",
          tags: ["Operation"],
          summary: "Whether the process answers",
          responses: { 200: health("The process answers.") },
        },
      },
      "/health/ready": {
        get: {
          operationId: "isReady",
          tags: ["Operation"],
          summary: "Whether views can be read and are kept up to date",
          description: "Where they are not, the problem's detail says why.",
          responses: {
            200: health("Views can be read, and a projector keeps them up to date."),
            ...problems(503),
          },
        },
      },
      "/metrics": {
        get: {
          operationId: "getMetrics",
          tags: ["Operation"],
          summary: "Metrics of all worker processes, for Prometheus",
          description:
            "`lead_view_http_request_duration_seconds` counts answers by route and status, " +
            "`lead_view_subscribers` the open streams; the others are Node's own.",
          responses: {
            200: { description: "The metrics", content: { "text/plain": { schema: { type: "string" } } } },
          },
        },
      },
    },
  };
}

const DESCRIPTION = `Reads of a workspace's leads. Send the workspace's key in \`x-api-key\`; a lead of another workspace is
answered like one that does not exist.

- **HEAD** is answered like GET, without the body, at every address but the streams.
- **Caching**: an answer has an \`ETag\`; send it as \`If-None-Match\`, and what has not changed is answered 304.
- **Encodings**: \`Accept-Encoding\` may name ${ENCODINGS.join(", ")}; bodies of less than 1 KiB are sent as they are. Each
  encoding has an entity tag of its own, and any of them matches.
- **Request ids**: send \`x-request-id\` (letters, digits, \`_ . : -\`, at most 100), and the answer and our log lines have
  it; otherwise one is made.
- **Errors** are \`application/problem+json\` (RFC 9457). A method that an address does not have is answered 405 with
  \`Allow\`; a query parameter that comes twice is 400.
- **Limits**: where the operator set a limit, \`ratelimit-limit\`, \`ratelimit-remaining\` and \`ratelimit-reset\` (seconds)
  tell of it. After ${WRONG_KEYS_PER_MINUTE} wrong keys in a minute an address gets 429 instead of 401; right keys are not
  concerned. 429 and 503 say in \`retry-after\` when to come back.`;

const STREAM_DESCRIPTION =
  "Server-Sent Events: `lead_view.changed` with the lead's view, presigned URLs being null, and `lead_view.erased`. The " +
  "id of an event is the change's number; `Last-Event-ID` resumes behind it. `ready` comes first; `reset` says that the id " +
  "was never given: forget what you keep, all there is follows; `caught_up` that all there was has been told; `ended` that " +
  "the client is to come again with the last id.";

interface Read {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly content: Record<string, unknown>;
}

/** GET and HEAD of a lead, or of a part of it. */
function read({ operationId, summary, description, content }: Read) {
  const operation = {
    tags: ["Leads"],
    security: KEY,
    parameters: [
      parameter("leadId"),
      parameter("ifNoneMatch"),
      parameter("acceptEncoding"),
      parameter("position"),
      parameter("version"),
      parameter("requestId"),
    ],
  };
  const own = headers("etag", "x-request-id", "content-encoding");
  const otherwise = {
    304: { description: "The client has these bytes", headers: headers("etag", "x-request-id") },
    ...problems(400, 401, 404, ...ANYWHERE),
  };
  return {
    get: {
      ...operation,
      operationId,
      summary,
      description,
      responses: {
        200: { description: "What is asked for", headers: own, content: { "application/json": content } },
        ...otherwise,
      },
    },
    head: {
      ...operation,
      operationId: operationId.replace("get", "head"),
      summary: `${summary}: the headers only`,
      responses: { 200: { description: "The headers of the GET", headers: own }, ...otherwise },
    },
  };
}

/** A part of the view: a bare array of the same objects. */
function section(name: Section, what: string) {
  return read({
    operationId: `get${name[0]?.toUpperCase()}${name.slice(1)}`,
    summary: `Get ${what}`,
    description: `The field \`${name}\` of the lead's view, as a bare array, with an entity tag of its own.`,
    content: {
      schema: { $ref: `#/components/schemas/LeadView/properties/${name}` },
      example: seedResponse[name as "checklistItems"],
    },
  });
}

function find() {
  const text = (name: string, description: string) => ({
    name,
    in: "query",
    description,
    schema: { type: "string", minLength: 1 },
  });
  const operation = {
    tags: ["Leads"],
    security: KEY,
    parameters: [
      text("externalLeadId", "The id that the lead has elsewhere"),
      text("email", "The lead's e-mail address, in any case"),
      text("phoneNumber", "The lead's phone number, however it is written"),
      { name: "status", in: "query", schema: { enum: Status.literals } },
      {
        name: "limit",
        in: "query",
        description: "Leads of a page",
        schema: { type: "integer", minimum: 1, maximum: MOST_LEADS, default: DEFAULT_LIMIT },
      },
      {
        name: "cursor",
        in: "query",
        description: "The `nextCursor` of the page before",
        schema: { type: "string", pattern: "^[1-9]\\d{0,15}$" },
      },
      parameter("acceptEncoding"),
      parameter("requestId"),
    ],
  };
  const { lead, status } = seedResponse;
  return {
    get: {
      ...operation,
      operationId: "findLeads",
      summary: "Find leads, the one that changed last first",
      description:
        "The workspace's leads that have all that the query names; all of them where it names nothing. A lead that " +
        "changes while pages are read stands before the first page again.",
      responses: {
        200: {
          description: "A page of leads",
          headers: headers("x-request-id", "content-encoding"),
          content: {
            "application/json": {
              schema: FOUND_SCHEMA,
              example: { leads: [{ lead, status }], nextCursor: null },
            },
          },
        },
        ...problems(400, 401, ...ANYWHERE),
      },
    },
    head: {
      ...operation,
      operationId: "headLeads",
      summary: "Find leads: the headers only",
      responses: {
        200: { description: "The headers of the GET", headers: headers("x-request-id", "content-encoding") },
        ...problems(400, 401, ...ANYWHERE),
      },
    },
  };
}
