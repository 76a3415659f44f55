import { Webhook } from "standardwebhooks";
import { type ChangeRow, viewWithoutUrls } from "../../../shared/view/change.ts";
import type { Endpoint } from "./endpoints.ts";

/** A message as it is posted: Standard Webhooks' headers, and the JSON that they sign. */
export interface WebhookMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What a change is told as. Its id is the same at each try: the lead's id and the change's number. */
export function changeMessage(endpoint: Endpoint, change: ChangeRow, now: Date): WebhookMessage {
  const { leadId, number } = change;
  return signed(endpoint, `${encodeURIComponent(leadId)}:${number}`, bodyOf(change, now), now);
}

/** A message by which an endpoint can be tried out. */
export function testMessage(endpoint: Endpoint, now: Date): WebhookMessage {
  const { id, workspaceId } = endpoint;
  const body = { type: "webhook.test", timestamp: now.toISOString(), data: { endpointId: id, workspaceId } };
  return signed(endpoint, `test:${id}:${now.getTime()}`, Buffer.from(JSON.stringify(body)), now);
}

/** While a secret is being changed, both sign: the receiver may know either. */
function signed(
  { secret, oldSecret, oldSecretUntil }: Endpoint,
  id: string,
  body: Buffer,
  now: Date,
): WebhookMessage {
  const secrets = oldSecret !== null && oldSecretUntil > now.getTime() ? [secret, oldSecret] : [secret];
  return {
    body,
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
      "webhook-signature": secrets.map((one) => new Webhook(one).sign(id, now, body)).join(" "),
    },
  };
}

function bodyOf({ leadId, workspaceId, number, status, body, urlSlots }: ChangeRow, now: Date): Buffer {
  const timestamp = now.toISOString();
  const known = { leadId, workspaceId, version: number };
  if (status === null || body === null)
    return Buffer.from(JSON.stringify({ type: "lead_view.erased", timestamp, data: known }));
  const data = JSON.stringify({ ...known, status }).slice(0, -1);
  const head = `{"type":"lead_view.changed","timestamp":"${timestamp}","data":${data},"view":`;
  return Buffer.concat([Buffer.from(head), viewWithoutUrls(body, urlSlots), Buffer.from("}}")]);
}
