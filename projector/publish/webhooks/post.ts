import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { after, wallClock } from "../../../shared/clock.ts";
import { publicAddress } from "./address.ts";
import type { WebhookMessage } from "./message.ts";

/** A receiver's answer. */
export interface Answer {
  readonly status: number;
  /** Milliseconds that it wants to be left alone for (`Retry-After`); undefined where it says nothing. */
  readonly retryAfterMs: number | undefined;
}

export interface Posting {
  /** True where private addresses, and plain http, are allowed: for trying out. */
  readonly allowPrivate: boolean;
  /** Milliseconds that the receiver has for its answer. */
  readonly answerMs: number;
  readonly signal: AbortSignal;
}

/** Standard Webhooks recommends 15 to 30 seconds. */
export const ANSWER_MS = 15_000;

/**
 * Posts a message to an address. A redirection is an answer like any other: it is not followed, for it could lead anywhere.
 * @throws Error where no answer comes, or the address must not be called
 */
export async function post(
  url: string,
  { body, headers }: WebhookMessage,
  { allowPrivate, answerMs, signal }: Posting,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const target = new URL(url);
  const { address, family } = await publicAddress(target, allowPrivate);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const late = new AbortController();
  const deadline = after(answerMs, () => late.abort());
  const ending = AbortSignal.any([signal, late.signal]);
  const request = (target.protocol === "https:" ? httpsRequest : httpRequest)(target, {
    method: "POST",
    // The address that was looked at is the one that is called, whatever a second look-up would say.
    lookup: (_host, options, done) =>
      (options as { all?: boolean }).all
        ? done(null, [{ address, family }] as never)
        : (done as (error: null, address: string, family: number) => void)(null, address, family),
    signal: ending,
    headers: { ...headers, ...more, "content-length": body.length },
  });
  request.on("error", (error) =>
    reject(late.signal.aborted && !signal.aborted ? new Error(`no answer within ${answerMs} ms`) : error),
  );
  request.on("response", (response) => {
    // What it says is of no interest, and could be without end.
    response.on("error", () => undefined);
    response.destroy();
    resolve({
      status: response.statusCode ?? 0,
      retryAfterMs: retryAfterMs(response.headers["retry-after"], wallClock()),
    });
  });
  request.end(body);
  return promise.finally(() => deadline.stop());
}

/** The header as RFC 9110 has it: seconds, or a date. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
