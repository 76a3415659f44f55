import type { FastifyInstance } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import { headersToJson } from "../source/headers.ts";
import { NO_TIMESTAMP, type RecordPosition, recordPosition, recordPositionName } from "../source/source.ts";
import type { ListedDeadLetter, StoredDeadLetter } from "../store/dead-letters.ts";
import type { RouteParts } from "./ops-routes.ts";
import { PAGE, pageOf } from "./page-of.ts";

const FIRST: RecordPosition = { topic: "", partition: 0, offset: 0 };

interface ByPosition {
  Params: { readonly topic: string; readonly partition: string; readonly offset: string };
}

/** The dead letters: a page of their list, and one of them with its record. */
export function deadLetterRoutes(server: FastifyInstance, { store }: Pick<RouteParts, "store">): void {
  server.get<{ Querystring: { readonly after?: string } }>("/ops/api/dead-letters", ({ query }) => {
    const { deadLetters } = store();
    const after = query.after === undefined ? FIRST : positionOf(query.after);
    return pageOf(deadLetters.listed(after, PAGE + 1), deadLetters.count(), recordPositionName, summaryOf);
  });

  server.get<ByPosition>("/ops/api/dead-letters/:topic/:partition/:offset", ({ params }) => {
    const at = positionOf(`${params.topic}/${params.partition}/${params.offset}`);
    const letter = store().deadLetters.get(at);
    if (!letter) throw new ProblemError(404, "There is no such dead letter.");
    return wholeOf(letter);
  });
}

function positionOf(text: string): RecordPosition {
  const at = recordPosition(text);
  if (!at) throw new ProblemError(400, "A dead letter is named by its position: topic/partition/offset.");
  return at;
}

const summaryOf = ({ code, reason, failedAt, leadId, ...at }: ListedDeadLetter) => ({
  id: recordPositionName(at),
  code,
  reason,
  failedAt,
  leadId,
});

/** With its record: whoever has the page's key may see what the command line shows. */
function wholeOf({ code, reason, failedAt, leadId, record }: StoredDeadLetter) {
  const { key, value, headers, timestamp } = record;
  return {
    id: recordPositionName(record),
    code,
    reason,
    failedAt,
    leadId,
    timestamp: timestamp === NO_TIMESTAMP ? null : timestamp,
    key: key && textOf(key),
    headers: headersToJson(headers),
    value: value && textOf(value),
  };
}

/** Bytes as text, or in hexadecimal where they are none. */
function textOf(bytes: Buffer): { readonly text: string } | { readonly hex: string } {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { hex: bytes.toString("hex") };
  }
}
