import { createHmac } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../../../shared/log.ts";
import { type ChangeRow, viewWithoutUrls } from "../../../shared/view/change.ts";
import type { Store } from "../../store/store.ts";
import { passingOn, type Tracing } from "../../trace/tracing.ts";
import { publicAddress } from "./address.ts";
import type { Endpoint, Endpoints } from "./endpoints.ts";

const LOOK_MS = 200;
const AT_ONCE = 50;
/** A receiver answers within this time (omni-facts.md). */
const ANSWER_MS = 5_000;
/** Milliseconds before each further try; after the last one the change is given up, and kept as undelivered. */
const BACK_OFF_MS: readonly number[] = [60_000, 300_000, 1_800_000, 7_200_000, 28_800_000];

export interface Delivering {
  readonly store: Store;
  readonly endpoints: Endpoints;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly allowPrivate: boolean;
  readonly tracing?: Tracing;
  readonly backOffMs?: readonly number[];
}

/**
 * Tells every endpoint of its workspace's changed views until the signal aborts: at least once, in order, one change of
 * an endpoint after the other; of a lead that changed several times meanwhile, the latest view (design.md section 9).
 */
export async function deliverWebhooks(delivering: Delivering): Promise<void> {
  const { endpoints, signal } = delivering;
  const busy = new Set<string>();
  while (!signal.aborted) {
    for (const endpoint of endpoints.all()) {
      if (busy.has(endpoint.id) || !isDue(endpoint, delivering.backOffMs ?? BACK_OFF_MS)) continue;
      busy.add(endpoint.id);
      // Each by itself: a slow receiver keeps no other waiting.
      void deliverTo(endpoint, delivering).finally(() => busy.delete(endpoint.id));
    }
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  while (busy.size > 0) await delay(10);
}

/** A time beyond any that we set says that the clock went back since: such a wait is over. */
function isDue({ nextTryAt }: Endpoint, backOffMs: readonly number[]): boolean {
  const wait = nextTryAt - Date.now();
  return wait <= 0 || wait > Math.max(...backOffMs);
}

async function deliverTo(endpoint: Endpoint, delivering: Delivering): Promise<void> {
  const {
    store,
    endpoints,
    log,
    signal,
    allowPrivate,
    tracing = passingOn,
    backOffMs = BACK_OFF_MS,
  } = delivering;
  const { id, workspaceId } = endpoint;
  const changes = store.views.ofWorkspace(workspaceId, endpoint.seq, AT_ONCE);
  let attempts = endpoint.attempts;
  for (const change of changes) {
    if (signal.aborted) return;
    const { traceparent } = change;
    const step = traceparent === null ? undefined : tracing.send(traceparent, "webhook", id);
    try {
      await send(endpoint, change, step?.traceparent, allowPrivate);
      step?.end();
      endpoints.advance(id, change.number);
      attempts = 0;
    } catch (error) {
      const wait = backOffMs[attempts];
      const reason = (error as Error).message;
      step?.end((error as Error).name);
      log.warn({ endpoint: id, attempt: attempts + 1, reason, retryInMs: wait }, "webhook not delivered");
      if (wait !== undefined) {
        endpoints.postpone(id, Date.now() + wait);
        return;
      }
      const { leadId, number } = change;
      endpoints.giveUp({
        endpointId: id,
        leadId,
        version: number,
        error: reason,
        failedAt: new Date().toISOString(),
      });
      endpoints.advance(id, number);
      attempts = 0;
    }
  }
}

/** @throws Error where the receiver does not answer with success in time */
async function send(
  { url, secret }: Endpoint,
  change: ChangeRow,
  traceparent: string | undefined,
  allowPrivate: boolean,
): Promise<void> {
  const target = new URL(url);
  const { address, family } = await publicAddress(target, allowPrivate);
  const body = bodyOf(change);
  const messageId = `${change.leadId}:${change.number}`;
  const timestamp = Math.floor(Date.now() / 1_000);
  const request = (target.protocol === "https:" ? httpsRequest : httpRequest)(target, {
    method: "POST",
    lookup: (_host, _options, done) => done(null, [{ address, family }] as never, family),
    signal: AbortSignal.timeout(ANSWER_MS),
    headers: {
      "content-type": "application/json",
      "content-length": body.length,
      "webhook-id": encodeURIComponent(messageId),
      "webhook-timestamp": String(timestamp),
      "webhook-signature": sign(secret, encodeURIComponent(messageId), timestamp, body),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  request.on("error", reject);
  request.on("response", (response) => {
    response.resume();
    const { statusCode = 0 } = response;
    if (statusCode >= 200 && statusCode < 300) resolve();
    else reject(new Error(`the receiver answered ${statusCode}`));
  });
  request.end(body);
  await promise;
}

/** Standard Webhooks' signature: HMAC-SHA256 of id, timestamp and body. */
export function sign(secret: string, messageId: string, timestamp: number, body: Buffer): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return `v1,${createHmac("sha256", key).update(`${messageId}.${timestamp}.`).update(body).digest("base64")}`;
}

function bodyOf({ leadId, workspaceId, number, status, body, urlSlots }: ChangeRow): Buffer {
  const timestamp = new Date().toISOString();
  if (status === null || body === null) {
    return Buffer.from(
      JSON.stringify({ type: "lead_view.erased", timestamp, data: { leadId, workspaceId, version: number } }),
    );
  }
  const data = JSON.stringify({ leadId, workspaceId, version: number, status }).slice(0, -1);
  const head = `{"type":"lead_view.changed","timestamp":"${timestamp}","data":${data},"view":`;
  return Buffer.concat([Buffer.from(head), viewWithoutUrls(body, urlSlots), Buffer.from("}}")]);
}
