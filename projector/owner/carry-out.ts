import { every, monotonic } from "../../shared/clock.ts";
import { untilPassed } from "../store/until-passed.ts";
import { aboutRequest } from "./about-request.ts";
import { HANDLERS, type Kind, RequestError } from "./handlers.ts";
import type { Owner } from "./owner.ts";
import type { Request } from "./requests.ts";

/** Milliseconds between two notes of a request's progress. */
const PROGRESS_MS = 200;

/**
 * Carries out one request and writes down how it went.
 * @param signal aborts it: what it has not put in place is removed
 * @throws SqliteError where the control database can't be used for another reason than one that passes
 */
export async function carryOut(request: Request, owner: Owner, signal: AbortSignal): Promise<void> {
  const { id, kind, askedBy } = request;
  const { requests, log } = owner;
  if (!(await untilWritten(() => requests.begin(id), owner, signal))) return;
  const cancelled = new AbortController();
  const watching = every(PROGRESS_MS, () => {
    if (safely(() => requests.get(id)?.cancel === 1)) cancelled.abort();
  });
  let noted = 0;
  const start = monotonic();
  try {
    const handler = HANDLERS[kind as Kind] as
      | ((args: never, carrying: object) => Promise<unknown>)
      | undefined;
    if (!handler)
      throw new RequestError(`the projector knows no request "${kind}"; is it of another version?`);
    log.info({ request: id, kind, askedBy, about: aboutRequest(request.arguments) }, "request begun");
    const result = await handler(JSON.parse(request.arguments) as never, {
      owner,
      signal: AbortSignal.any([signal, cancelled.signal]),
      onProgress(progress: { readonly phase: string; readonly done: number; readonly total: number }) {
        if (monotonic() - noted < PROGRESS_MS && progress.done < progress.total) return;
        noted = monotonic();
        safely(() => requests.progress(id, progress));
      },
    });
    await untilWritten(() => requests.done(id, result), owner, signal);
    log.info({ request: id, kind, milliseconds: Math.round(monotonic() - start) }, "request done");
  } catch (error) {
    const { message } = error as Error;
    await untilWritten(() => requests.failed(id, explained(error as NodeJS.ErrnoException)), owner, signal);
    log.warn({ request: id, kind, error: message }, "request failed");
  } finally {
    watching.stop();
  }
}

/** Writes down how a request goes: whoever asked waits for it. Aborted before that, the next owner says that it was abandoned. */
const untilWritten = <T>(write: () => T, { log }: Pick<Owner, "log">, signal: AbortSignal) =>
  untilPassed("the control database", write, { log, signal });

/** What is looked at, or noted, again in a moment does not need to succeed each time. */
function safely<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function explained({ code = "", message }: NodeJS.ErrnoException): string {
  return ["SQLITE_FULL", "ENOSPC"].includes(code)
    ? `${message}: the disk is full. Free some, then ask again; the serving views are untouched`
    : message;
}
