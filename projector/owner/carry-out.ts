import { HANDLERS, type Kind, RequestError } from "./handlers.ts";
import type { Owner } from "./owner.ts";
import type { Request } from "./requests.ts";

/** Milliseconds between two notes of a request's progress. */
const PROGRESS_MS = 200;

/**
 * Carries out one request and writes down how it went; it never throws.
 * @param signal aborts it: what it has not put in place is removed
 */
export async function carryOut(request: Request, owner: Owner, signal: AbortSignal): Promise<void> {
  const { id, kind, askedBy } = request;
  const { requests, log } = owner;
  if (!requests.begin(id)) return;
  const cancelled = new AbortController();
  const watching = setInterval(() => {
    if (requests.get(id)?.cancel === 1) cancelled.abort();
  }, PROGRESS_MS);
  let noted = 0;
  const start = performance.now();
  try {
    const handler = HANDLERS[kind as Kind] as
      | ((args: never, carrying: object) => Promise<unknown>)
      | undefined;
    if (!handler)
      throw new RequestError(`the projector knows no request "${kind}"; is it of another version?`);
    log.info({ request: id, kind, askedBy }, "request begun");
    const result = await handler(JSON.parse(request.arguments) as never, {
      owner,
      signal: AbortSignal.any([signal, cancelled.signal]),
      onProgress(progress: { readonly phase: string; readonly done: number; readonly total: number }) {
        if (performance.now() - noted < PROGRESS_MS && progress.done < progress.total) return;
        noted = performance.now();
        requests.progress(id, progress);
      },
    });
    requests.done(id, result);
    log.info({ request: id, kind, milliseconds: Math.round(performance.now() - start) }, "request done");
  } catch (error) {
    const { message } = error as Error;
    requests.failed(id, explained(error as NodeJS.ErrnoException));
    log.warn({ request: id, kind, error: message }, "request failed");
  } finally {
    clearInterval(watching);
  }
}

function explained({ code = "", message }: NodeJS.ErrnoException): string {
  return ["SQLITE_FULL", "ENOSPC"].includes(code)
    ? `${message}: the disk is full. Free some, then ask again; the serving views are untouched`
    : message;
}
