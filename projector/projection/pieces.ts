import { parseJson } from "../../shared/events/exact-json.ts";
import { itemText } from "../assemble/checklist.ts";
import { linkText } from "../assemble/documents.ts";
import { type Fields, render } from "../fold/entity.ts";
import {
  documentShape,
  emptyPart,
  type Group,
  groupShape,
  type Item,
  type LeadPart,
  type Link,
  NO_PIECE,
  putDocument,
  putItem,
  putLink,
  type StoredDocument,
  TOUCHED,
} from "../fold/lead-part.ts";
import { decodeSeen, encodeSeen, type SeenEvents } from "../fold/seen-events.ts";
import { PIECES_OF_A_PART } from "../store/leads.ts";
import type { FoldedPiece } from "./folded-batch.ts";
import { type HeldLog, type HeldLogs, hold, type LogKey, noLogs } from "./recent-logs.ts";

// The state of a part is cut into pieces, each a row of about PIECE_CHARACTERS: so an event writes what it touches, and
// not what there is (rule: cost). One piece has the record and what is small; each other has entities of one kind, a line each.

/** A piece that has as many characters takes no further entity. */
const PIECE_CHARACTERS = 3_000;

/**
 * The kinds of pieces, in their rows' order; each has PIECES_OF_A_KIND numbers. What is small is in every event's commit, and
 * has on both sides what events touch most: items, and the newest logs, whose pieces are numbered downwards. Rows side by
 * side share a page.
 */
const KIND = { documents: 0, links: 1, items: 2, head: 3, logs: 4 } as const;
type Kind = (typeof KIND)[keyof typeof KIND];
const PIECES_OF_A_KIND = PIECES_OF_A_PART / 8;
/** The piece with what is small. */
export const HEAD = KIND.head * PIECES_OF_A_KIND;

const kindOf = (piece: number): number => Math.floor(piece / PIECES_OF_A_KIND);

/** The characters of each stored piece. */
export type PieceSizes = Map<number, number>;

/** A part with all that is kept of it. */
export interface WholePart {
  readonly part: LeadPart;
  readonly logs: HeldLogs;
  /** By topic, the events that it saw lately (rule: repeats). */
  readonly seen: SeenEvents;
  /** The partitions, of whatever topics, that its events came from; undefined = not known, as of an earlier version. */
  readonly partitions: Set<number> | undefined;
  readonly sizes: PieceSizes;
}

interface Head {
  readonly createdBy: string | null;
  readonly completed: boolean;
  readonly record: Fields;
  readonly extra: Fields;
  readonly groups: readonly Group["facts"][];
  readonly olderUpTo: LogKey | null;
  readonly partitions?: readonly number[];
  /** Base64. */
  readonly seen: string;
}

/** Anything that stands in a piece as a line. */
interface Placed {
  piece: number;
}

/** The pieces that hold what changed, as they are now; each entity without a piece gets one. */
export function encodePieces(whole: WholePart): FoldedPiece[] {
  const { part, logs } = whole;
  const pieces: FoldedPiece[] = [];
  const { touched, changedPieces } = part;
  const put = (piece: number, content: string | null) => {
    if (content === null) whole.sizes.delete(piece);
    else whole.sizes.set(piece, content.length);
    pieces.push({ piece, content });
  };
  const encode = <E extends Placed>(kind: Kind, entities: () => Iterable<E>, lineOf: (entity: E) => string) =>
    encodeKind(whole.sizes, changedPieces, kind, entities, lineOf, put);
  if ((touched & TOUCHED.checklist) !== 0) encode(KIND.items, () => part.items.values(), itemLine);
  if ((touched & TOUCHED.documents) !== 0) {
    encode(KIND.documents, () => part.documents.values(), documentLine);
    encode(KIND.links, () => part.links.values(), linkText);
  }
  if ((touched & TOUCHED.logs) !== 0) encode(KIND.logs, () => recentLogs(logs), logLine);
  changedPieces.clear();
  put(HEAD, encodeHead(whole));
  return pieces.sort((a, b) => a.piece - b.piece);
}

function* recentLogs({ sorted }: HeldLogs): Generator<HeldLog> {
  for (const log of sorted) if (!log.isOlder) yield log;
}

function encodeKind<E extends Placed>(
  sizes: PieceSizes,
  changed: Set<number>,
  kind: Kind,
  entities: () => Iterable<E>,
  lineOf: (entity: E) => string,
  put: (piece: number, content: string | null) => void,
): void {
  const lines = new Map<number, string>();
  const add = (entity: E) => {
    const before = lines.get(entity.piece);
    const line = lineOf(entity);
    const content = before === undefined ? line : `${before}\n${line}`;
    lines.set(entity.piece, content);
    return content.length;
  };
  const fresh: E[] = [];
  for (const entity of entities()) {
    if (entity.piece === NO_PIECE) fresh.push(entity);
    else if (changed.has(entity.piece)) add(entity);
  }
  const step = kind === KIND.logs ? -1 : 1;
  let open = step > 0 ? kind * PIECES_OF_A_KIND : (kind + 1) * PIECES_OF_A_KIND - 1;
  const sizeOf = (piece: number) => lines.get(piece)?.length ?? sizes.get(piece) ?? 0;
  for (const entity of fresh) {
    while (sizeOf(open) >= PIECE_CHARACTERS) open += step;
    if (!lines.has(open) && sizes.has(open) && !changed.has(open)) {
      // The piece has room: what stands in it is written again with what comes to it.
      changed.add(open);
      for (const other of entities()) if (other.piece === open) add(other);
    }
    entity.piece = open;
    add(entity);
  }
  for (const piece of changed) {
    if (kindOf(piece) === kind && !lines.has(piece)) put(piece, null);
  }
  for (const [piece, content] of lines) put(piece, content);
}

/** An id has no control characters, so that a tab ends it. */
const itemLine = (item: Item): string => `${item.groupId}\t${item.rank}\t${itemText(item)}`;

function documentLine(document: StoredDocument): string {
  document.text ??= render(documentShape, document.fields);
  return document.text;
}

function logLine(log: HeldLog): string {
  const { id, createdAt, role, order, hasDocuments } = log;
  log.changed = false;
  return `${JSON.stringify([id, createdAt, role, order, hasDocuments])}\t${log.text}`;
}

function encodeHead({ part, logs, seen, partitions }: WholePart): string {
  const { createdBy, completed, record, extra } = part;
  const head = {
    createdBy,
    completed,
    record,
    extra,
    olderUpTo: logs.olderUpTo,
    ...(partitions ? { partitions: [...partitions].sort((a, b) => a - b) } : {}),
  };
  const groups = part.groups.map(({ facts }) => render(groupShape, facts));
  const marks = encodeSeen(seen)?.toString("base64") ?? "";
  return `${JSON.stringify(head).slice(0, -1)},"groups":[${groups.join(",")}],"seen":"${marks}"}`;
}

/** The inverse of `encodePieces`, of all pieces in the order of their numbers. */
export function decodePieces(
  leadId: string,
  workspaceId: string,
  pieces: readonly { readonly piece: number; readonly content: string }[],
): WholePart {
  const head = parseJson(pieces.find(({ piece }) => piece === HEAD)?.content as string) as Head;
  const { createdBy, completed, record, extra, olderUpTo } = head;
  const part: LeadPart = {
    ...emptyPart(leadId, workspaceId),
    createdBy,
    completed,
    record,
    extra,
  };
  const logs = noLogs(olderUpTo);
  const sizes: PieceSizes = new Map();
  for (const { piece, content } of pieces) {
    sizes.set(piece, content.length);
    if (piece === HEAD) continue;
    for (const line of content.split("\n")) decodeLine(part, logs, piece, line);
  }
  const itemsOf = Map.groupBy(part.items.values(), ({ groupId }) => groupId);
  part.groups = head.groups.map((facts) => ({
    facts,
    items: itemsOf.get(facts.id)?.sort((a, b) => a.rank - b.rank) ?? [],
  }));
  const seen = decodeSeen(head.seen === "" ? null : Buffer.from(head.seen, "base64"));
  const partitions = head.partitions && new Set(head.partitions);
  return { part, logs, seen, partitions, sizes };
}

function decodeLine(part: LeadPart, logs: HeldLogs, piece: number, line: string): void {
  switch (kindOf(piece)) {
    case KIND.items: {
      const [groupEnd, rankEnd] = [line.indexOf("\t"), line.indexOf("\t", line.indexOf("\t") + 1)];
      const [groupId, rank] = [line.slice(0, groupEnd), Number(line.slice(groupEnd + 1, rankEnd))];
      const text = line.slice(rankEnd + 1);
      const fields = parseJson(text) as Fields & { readonly id: string };
      putItem(part, { id: fields.id, fields, text, shown: undefined, piece, groupId, rank });
      break;
    }
    case KIND.documents: {
      const fields = parseJson(line) as StoredDocument["fields"];
      const id = fields.id as string;
      putDocument(part, { id, fields, text: line, shown: undefined, piece });
      break;
    }
    case KIND.links: {
      const fields = parseJson(line) as Link["fields"];
      const itemId = fields.leadChecklistItemId as string;
      const documentId = fields.documentId as string;
      const id = fields.id as string;
      putLink(part, { id, fields, text: line, shown: undefined, piece, itemId, documentId });
      break;
    }
    case KIND.logs: {
      const end = line.indexOf("\t");
      const [id, createdAt, role, order, hasDocuments] = JSON.parse(line.slice(0, end)) as PlaceRow;
      hold(logs, { id, createdAt, role, order, hasDocuments, text: line.slice(end + 1) }, piece);
      break;
    }
  }
}

type PlaceRow = [string, string, string | null, string | null, 0 | 1];
