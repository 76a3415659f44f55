import type { UrlSlot } from "../../shared/view/row.ts";
import type { LogPlace } from "../assemble/log-text.ts";
import type { Identity } from "../fold/identity.ts";
import type { Position, SourceRecord } from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import type { Outcome } from "./tally.ts";

/**
 * What a folding half hands to the writing half: all that one commit makes durable. It is plain data (texts, numbers, bytes
 * and lists of them), names leads by their ids, and refers to no database: so it can be packed into bytes and cross
 * a thread. Everything in it is finished but for what crosses leads, which only the writer knows: the section
 * `matchingLeads` of a view, and its number (rule: matching is the writer's).
 */
export interface FoldedBatch {
  readonly leads: readonly FoldedLead[];
  readonly deadLetters: readonly DeadLetter[];
  /** Where to go on, of each partition that moved. */
  readonly positions: readonly Position[];
  readonly counts: FoldedCounts;
}

/** What the batch was made of: for metrics and logs alone. */
export interface FoldedCounts {
  readonly records: number;
  readonly outcomes: readonly Outcome[];
  /** When its records were produced, in milliseconds since 1970. */
  readonly timestamps: readonly number[];
  /** Views that were assembled, and the milliseconds that this took. */
  readonly views: number;
  readonly milliseconds: number;
}

/** A lead that the batch changes. */
export interface FoldedLead {
  readonly leadId: string;
  /** True where this batch erases it: all that is stored of it goes, and nothing else is said here. */
  readonly erased: boolean;
  /** Records that came after it was erased. */
  readonly dropped: number;
  /** True where what is said here is all there is: what is stored of the lead gives way to it. */
  readonly replaces: boolean;
  /** The workspace that created the lead; null = none yet, so that it has no view. Of an erased one as far as is known. */
  readonly owner: string | null;
  /** The trace of the latest event (W3C Trace Context); null where it came with none. */
  readonly traceparent: string | null;
  /** What it was matched by on the way, whenever it was to look otherwise to those that it matched. */
  readonly left: readonly LeftKeys[];
  /** The parts that changed. */
  readonly parts: readonly FoldedPart[];
  /** What the lead is found and matched by now; undefined where nothing of that can have changed. */
  readonly identity: Identity | undefined;
  /** The view as it is now; undefined where the batch changed nothing of it (or where there is none). */
  readonly view: FoldedView | undefined;
}

/** Identities that a lead had in a workspace; null = none. */
export interface LeftKeys extends Pick<Identity, "emailKey" | "phoneKey"> {
  readonly workspaceId: string;
}

/** What changed of the state of one workspace's part of a lead. */
export interface FoldedPart {
  readonly workspaceId: string;
  /** True where nothing was stored of it before. */
  readonly isNew: boolean;
  /** The rows of its state that changed (projector/fold/: each row is what one kind of event touches). */
  readonly pieces: readonly FoldedPiece[];
  /** Action logs that are not among the recent ones, or were not when they were stored: each is a row of its own. */
  readonly olderLogs: readonly OlderLog[];
}

/** One row of a part's state. */
export interface FoldedPiece {
  /** Which one (projector/projection/pieces.ts). */
  readonly piece: number;
  /** Null where the row goes. */
  readonly content: Utf8 | null;
}

/** An action log as a row of its own: rendered, with what it is found by. */
export interface OlderLog extends LogPlace {
  readonly text: Utf8;
}

/** A text, or its bytes: what crossed a thread is stored as it came, and nobody makes a text of it. */
export type Utf8 = string | Buffer;

/** A finished view but for `matchingLeads`, which stands in it as an empty list. */
export interface FoldedView {
  readonly status: string;
  /** UTF-8 JSON, with an empty text in the place of each presigned URL. It may be a part of a larger buffer. */
  readonly body: Buffer;
  /** The byte behind each field of the view, in the view's order. */
  readonly sectionEnds: readonly number[];
  /** Of each field, in the view's order, the hash of its bytes, SECTION_HASH_CHARACTERS of ASCII each. */
  readonly sectionHashes: string;
  readonly urlSlots: readonly UrlSlot[];
}

/**
 * The folding half: decodes records, folds them into leads that it keeps in memory, and finishes what they change. It reads
 * what it does not hold by a connection of its own, and writes nothing. Of one lead's records all come to the same one.
 */
export interface Folding {
  /** Where to go on: the stored positions, and those noted since. */
  positions(): readonly Position[];
  /**
   * Folds one record; one below its partition's position was folded before and is passed over. One that is no event,
   * or contradicts the state, becomes a dead letter of the next batch.
   * @throws SqliteError where the database can't be read; nothing of the record is folded then, so call again
   */
  fold(record: SourceRecord): void;
  /** Notes the positions after what was folded, for the next batch. */
  advance(positions: readonly Position[]): void;
  /** What waits for the next batch. */
  pending(): { readonly records: number; readonly bytes: number };
  /** The span of what waits, for whoever has to say where it failed: each partition's first and last offset. */
  span(): string;
  /**
   * Finishes all that was folded since the last call. Its leads stay in memory until `settled`, since what is stored of them
   * is older.
   * @throws SqliteError where the database can't be read; nothing is taken then, so call again
   */
  take(): FoldedBatch;
  /** Says that the oldest batch that was taken and not settled is committed now. */
  settled(): void;
  /** Drops what it holds of some leads, which were changed without it. Only with nothing pending and all settled. */
  forget(leadIds: Iterable<string>): void;
}

/** The writing half: owns the database, and makes each batch durable in one transaction. */
export interface Writing {
  /**
   * Numbers, matches and stores a batch, and moves the positions, all in one transaction.
   * @param mayRepeat true where an earlier session may have folded its events, and told of them, before that was lost: what
   *   they touch gets new numbers, whatever it is now (rule: one number)
   * @throws SqliteError where the database can't be written; nothing of it is stored then, so call again
   */
  write(batch: FoldedBatch, mayRepeat?: boolean): Written;
}

/** What writing a batch did. */
export interface Written {
  /** The leads that the batch erased. */
  readonly erased: readonly string[];
  /** Views that were written, those among them that only match a changed lead. */
  readonly views: number;
  readonly milliseconds: number;
}
