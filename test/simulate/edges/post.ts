import type { WebhookMessage } from "../../../projector/publish/webhooks/message.ts";
import type { Answer, Posting } from "../../../projector/publish/webhooks/post.ts";
import { delay } from "../../../shared/clock.ts";
import { currentMachine } from "../machine.ts";
import { currentOutside } from "../outside.ts";

export { ANSWER_MS, retryAfterMs } from "../../../projector/publish/webhooks/post.ts";

/** A receiver in this process. */
export async function post(
  url: string,
  { body, headers }: WebhookMessage,
  { answerMs, signal }: Posting,
): Promise<Answer> {
  const outside = currentOutside();
  const { random } = currentMachine();
  const stopped = () => {
    if (signal.aborted) throw new Error("the connection was closed");
  };
  await delay(outside.receiver === "slow" ? random.integer(200, 4_000) : random.integer(0, 6), signal);
  stopped();
  const { receiver } = outside;
  if (receiver === "down") throw new Error("connect ECONNREFUSED");
  const refuses = receiver === "refusing" && random.chance(0.5);
  if (refuses && random.chance(0.2)) {
    await delay(answerMs, signal);
    throw new Error(`no answer within ${answerMs} ms`);
  }
  if (refuses) {
    const retryAfterMs = random.chance(0.2) ? random.integer(1, 20) * 1_000 : undefined;
    return { status: random.pick([413, 429, 500, 503]), retryAfterMs };
  }
  outside.receive({ url, id: headers["webhook-id"] as string, body: body.toString("utf8") });
  await delay(random.integer(0, 6), signal);
  stopped();
  if (receiver === "losing answers" && random.chance(0.5)) throw new Error("socket hang up");
  return { status: 200, retryAfterMs: undefined };
}
