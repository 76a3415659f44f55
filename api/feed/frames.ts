import { type ChangeRow, changedSections, viewWithoutUrls } from "../../shared/view/change.ts";

// Server-Sent Events as text. Behind an event's id a client goes on, here or on another node: it is the number of the change,
// on a replica the number up to which everything had come when the change came.

const END = Buffer.from("}\n\n");

/**
 * One change: the view as it is now, without URLs; or that it is gone.
 * @param after the number up to which the reader has seen all: the sections that changed since are named
 * @param id the number behind which the reader may go on
 */
export function changeFrame(row: ChangeRow, after: number, id: number): Buffer {
  const { number, leadId, status, body, urlSlots } = row;
  if (status === null || body === null) {
    const data = JSON.stringify({ leadId, version: number });
    return Buffer.from(`id: ${id}\nevent: lead_view.erased\ndata: ${data}\n\n`);
  }
  const known = { leadId, version: number, status, changed: changedSections(row, after) };
  const head = JSON.stringify(known).slice(0, -1);
  return Buffer.concat([
    Buffer.from(`id: ${id}\nevent: lead_view.changed\ndata: ${head},"view":`),
    viewWithoutUrls(body, urlSlots),
    END,
  ]);
}

/** The first event of a stream: from where on it tells. */
export const readyFrame = (cursor: number): string => `id: ${cursor}\nevent: ready\ndata: {}\n\n`;

/** What the reader keeps is of no use: it was never told by this database. All there is comes now. */
export const resetFrame = (): string =>
  'id: 0\nevent: reset\ndata: {"reason":"this id was never given; forget what you keep, all there is comes now"}\n\n';

/** All that there was when the reader began has been told. */
export const caughtUpFrame = (cursor: number): string => `id: ${cursor}\nevent: caught_up\ndata: {}\n\n`;

/** The last event of a stream that we end; the client may come again behind its last id. */
export const endedFrame = (reason: string): string => `event: ended\ndata: ${JSON.stringify({ reason })}\n\n`;

/** Keeps the connection open, and tells a reader that nothing concerns how far it is. */
export const keepAliveFrame = (cursor: number): string => `: keep-alive\nid: ${cursor}\n\n`;
