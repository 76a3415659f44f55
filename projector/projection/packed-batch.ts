import type { UrlSlot } from "../../shared/view/row.ts";
import type { Identity } from "../fold/identity.ts";
import { headersFromJson, headersToJson } from "../source/headers.ts";
import type { Headers, Position } from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import type { FoldedBatch, FoldedLead, FoldedPart, FoldedView, LeftKeys } from "./folded-batch.ts";
import { createPacker, createUnpacker, type Packer, type Unpacker } from "./packing.ts";

/** Folded batches as bytes that can be handed over to another thread. */
export interface BatchPacker {
  add(batch: FoldedBatch): void;
  /** Bytes so far. */
  length(): number;
  /** All of them, for `unpackBatches`. */
  finish(): ArrayBuffer;
}

/** @param room memory to begin with; where it is full, larger takes its place */
export function createBatchPacker(room: ArrayBuffer): BatchPacker {
  const packer = createPacker(room);
  return {
    add({ leads, deadLetters, positions, counts }) {
      packer.flag(true);
      packer.list(leads, packLead);
      packer.list(deadLetters, packLetter);
      packer.list(positions, packPosition);
      // Small, and for metrics alone.
      packer.text(JSON.stringify(counts));
    },
    length: packer.length,
    finish() {
      packer.flag(false);
      return packer.finish();
    },
  };
}

/** The batches that were packed, one at a time; bodies, pieces and logs stand in the bytes that were given. */
export function* unpackBatches(bytes: ArrayBuffer): Generator<FoldedBatch> {
  const unpacker = createUnpacker(bytes);
  while (unpacker.flag())
    yield {
      leads: unpacker.list(unpackLead),
      deadLetters: unpacker.list(unpackLetter),
      positions: unpacker.list(unpackPosition),
      counts: JSON.parse(unpacker.text() as string),
    };
}

function packLead(packer: Packer, lead: FoldedLead): void {
  packer.text(lead.leadId);
  packer.flag(lead.erased);
  packer.number(lead.dropped);
  packer.flag(lead.replaces);
  packer.text(lead.left.length === 0 ? null : JSON.stringify(lead.left));
  packer.text(lead.owner);
  packer.text(lead.traceparent);
  packer.list(lead.parts, packPart);
  packer.text(lead.identity === undefined ? null : JSON.stringify(lead.identity));
  packer.flag(lead.view !== undefined);
  if (lead.view) packView(packer, lead.view);
}

function unpackLead(unpacker: Unpacker): FoldedLead {
  const leadId = unpacker.text() as string;
  const erased = unpacker.flag();
  const dropped = unpacker.number();
  const replaces = unpacker.flag();
  const leftText = unpacker.text();
  const left = leftText === null ? [] : (JSON.parse(leftText) as LeftKeys[]);
  const owner = unpacker.text();
  const traceparent = unpacker.text();
  const parts = unpacker.list(unpackPart);
  const identityText = unpacker.text();
  const identity = identityText === null ? undefined : (JSON.parse(identityText) as Identity);
  const view = unpacker.flag() ? unpackView(unpacker) : undefined;
  return { leadId, erased, dropped, replaces, left, owner, traceparent, parts, identity, view };
}

function packPart(packer: Packer, part: FoldedPart): void {
  packer.text(part.workspaceId);
  packer.flag(part.isNew);
  packer.list(part.pieces, (_, { piece, content }) => {
    packer.number(piece);
    packer.utf8(content);
  });
  packer.list(part.olderLogs, (_, log) => {
    packer.text(log.id);
    packer.text(log.createdAt);
    packer.text(log.role);
    packer.text(log.order);
    packer.number(log.hasDocuments);
    packer.utf8(log.text);
  });
}

const unpackPart = (unpacker: Unpacker): FoldedPart => ({
  workspaceId: unpacker.text() as string,
  isNew: unpacker.flag(),
  pieces: unpacker.list(() => ({ piece: unpacker.number(), content: unpacker.bytes() })),
  olderLogs: unpacker.list(() => ({
    id: unpacker.text() as string,
    createdAt: unpacker.text() as string,
    role: unpacker.text(),
    order: unpacker.text(),
    hasDocuments: unpacker.number() as 0 | 1,
    text: unpacker.bytes() as Buffer,
  })),
});

function packView(packer: Packer, view: FoldedView): void {
  packer.text(view.status);
  packer.bytes(view.body);
  packer.list(view.sectionEnds, (_, end) => packer.number(end));
  packer.text(view.sectionHashes);
  packer.text(view.urlSlots.length === 0 ? null : JSON.stringify(view.urlSlots));
}

function unpackView(unpacker: Unpacker): FoldedView {
  const status = unpacker.text() as string;
  const body = unpacker.bytes() as Buffer;
  const sectionEnds = unpacker.list(() => unpacker.number());
  const sectionHashes = unpacker.text() as string;
  const slots = unpacker.text();
  const urlSlots = slots === null ? [] : (JSON.parse(slots) as UrlSlot[]);
  return { status, body, sectionEnds, sectionHashes, urlSlots };
}

function packLetter(packer: Packer, { record, code, reason, eventId, leadId }: DeadLetter): void {
  packer.text(record.topic);
  packer.number(record.partition);
  packer.number(record.offset);
  packer.bytes(record.key);
  packer.number(record.timestamp);
  packer.text(JSON.stringify(headersToJson(record.headers)));
  packer.bytes(record.value);
  packer.text(code);
  packer.text(reason);
  packer.text(eventId ?? null);
  packer.text(leadId);
}

function unpackLetter(unpacker: Unpacker): DeadLetter {
  const record = {
    topic: unpacker.text() as string,
    partition: unpacker.number(),
    offset: unpacker.number(),
    key: unpacker.bytes(),
    timestamp: unpacker.number(),
    headers: headersFromJson(JSON.parse(unpacker.text() as string)) as Headers,
    value: unpacker.bytes(),
  };
  const code = unpacker.text() as string;
  const reason = unpacker.text() as string;
  const eventId = unpacker.text();
  return { record, code, reason, ...(eventId === null ? {} : { eventId }), leadId: unpacker.text() };
}

function packPosition(packer: Packer, { topic, partition, nextOffset, last, cursor }: Position): void {
  packer.text(topic);
  packer.number(partition);
  packer.number(nextOffset);
  packer.flag(last !== null);
  if (last) {
    packer.number(last.offset);
    packer.text(last.hash);
  }
  packer.text(cursor);
}

const unpackPosition = (unpacker: Unpacker): Position => ({
  topic: unpacker.text() as string,
  partition: unpacker.number(),
  nextOffset: unpacker.number(),
  last: unpacker.flag() ? { offset: unpacker.number(), hash: unpacker.text() as string } : null,
  cursor: unpacker.text(),
});
