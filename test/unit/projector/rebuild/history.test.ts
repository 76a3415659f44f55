import { expect, test } from "vitest";
import { readHistory } from "../../../../projector/rebuild/history.ts";
import type { Sink, Source } from "../../../../projector/source/source.ts";

test("reading a history ends when it is asked to stop, and says that nothing was changed", async () => {
  const asked = new AbortController();
  const ended = new Promise<void>((resolve) => asked.signal.addEventListener("abort", () => resolve()));
  // A log whose end never comes.
  const source = { readToEnd: (_sink: Sink, signal: AbortSignal) => (signal.aborted ? undefined : ended) };
  const upTo = [{ topic: "omni.lead", partition: 0, nextOffset: 1, last: null, cursor: null }];
  const reading = readHistory(source as unknown as Source, upTo, () => undefined, asked.signal);
  asked.abort();
  await expect(reading).rejects.toThrow("stopped; nothing was changed");
});
