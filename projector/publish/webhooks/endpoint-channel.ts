import { monotonic, wallClock } from "../../../shared/clock.ts";
import type { Logger } from "../../../shared/log.ts";
import type { ChangeRow } from "../../../shared/view/change.ts";
import type { Tracing } from "../../trace/tracing.ts";
import type { Channel, Outcome } from "../outbox-reader.ts";
import type { Endpoint } from "./endpoints.ts";
import { changeMessage } from "./message.ts";
import { type Posting, post } from "./post.ts";
import { DISABLED_AFTER_MS, FAILING_AFTER, nextTry, pauseMs, verdictOf } from "./retry-policy.ts";

/** Changes that an endpoint is told of at once, each of another lead. */
const AT_ONCE = 8;

export interface EndpointChannel {
  /** The endpoint as it is now. */
  readonly endpoint: () => Endpoint;
  readonly posting: Posting;
  readonly log: Logger;
  readonly tracing: Tracing;
  readonly schedule: readonly number[];
  /** Nothing more is to be sent to it. */
  readonly disable: (reason: string) => void;
  /** Told when it begins to fail, and when it takes something again. */
  readonly failing: (since: number | null) => void;
}

/** An endpoint as the place that changes go to: each lead is a lane of its own, so that a refused change delays its lead. */
export function createEndpointChannel(parts: EndpointChannel): Channel<ChangeRow> {
  const { endpoint, posting, log, tracing, schedule, disable, failing } = parts;
  let failures = 0;
  /** By the clock that never goes back. */
  let pausedUntil = 0;

  const succeeded = () => {
    failures = 0;
    if (endpoint().failingSince !== null) failing(null);
  };

  const failed = (now: number) => {
    failures++;
    pausedUntil = Math.max(pausedUntil, monotonic() + pauseMs(failures));
    const { failingSince } = endpoint();
    if (failingSince === null) failing(now);
    else if (now - failingSince >= DISABLED_AFTER_MS) disable("it took nothing for five days");
  };

  const tell = async (change: ChangeRow): Promise<Outcome> => {
    const { traceparent } = change;
    const to = endpoint();
    const step = traceparent === null ? undefined : tracing.send(traceparent, "webhook", to.id);
    let reason: string;
    let earliest = 0;
    try {
      const more = step ? { traceparent: step.traceparent } : undefined;
      const answer = await post(to.url, changeMessage(to, change, new Date(wallClock())), posting, more);
      const verdict = verdictOf(answer);
      if (verdict.kind === "taken") {
        step?.end();
        succeeded();
        return "passed";
      }
      reason = `the receiver answered ${answer.status}`;
      step?.end(String(answer.status));
      if (verdict.kind === "gone") {
        disable(`${reason} (Gone)`);
        // It waits for whoever enables the endpoint again.
        return { reason, nextTryAt: () => 0 };
      }
      if (verdict.kind === "throttle") {
        earliest = wallClock() + verdict.forMs;
        pausedUntil = Math.max(pausedUntil, monotonic() + verdict.forMs);
      }
    } catch (error) {
      reason = (error as Error).message;
      step?.end((error as Error).name);
      // We end, it did not fail.
      if (posting.signal.aborted)
        return { reason: "it was on its way when the projector stopped", nextTryAt: () => 0 };
    }
    const now = wallClock();
    failed(now);
    log.warn({ endpoint: to.id, reason }, "webhook not delivered");
    return {
      reason,
      nextTryAt(attempts) {
        const at = nextTry(attempts, now, schedule);
        return at === null ? null : Math.max(at, earliest);
      },
    };
  };

  return {
    laneOf: ({ leadId }) => leadId,
    atOnce() {
      if (endpoint().disabledReason !== null || monotonic() < pausedUntil) return 0;
      return failures >= FAILING_AFTER ? 1 : AT_ONCE;
    },
    async pass(_lane, rows, told) {
      for (const row of rows) told(row, await tell(row));
    },
  };
}
