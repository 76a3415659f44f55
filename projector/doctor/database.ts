import type { Config } from "../../shared/config.ts";
import { createReadiness } from "../../shared/control.ts";
import { FOLD_VERSION } from "../projection/fold-version.ts";
import { isHeldBack } from "../publish/held-back.ts";
import { VIEWS_RELAY } from "../publish/view-topic.ts";
import type { Store } from "../store/store.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Whether a projector keeps the views up to date, as it says itself. */
export function examineProjector({ databaseDir }: Config): Finding[] {
  const readiness = createReadiness(databaseDir);
  try {
    const reason = readiness.reason();
    if (reason === undefined) return [ok("projector", "one is at work, and has folded what there is")];
    return [
      fail("projector", `not ready: ${reason}`, "look into the projector's log; start one where none runs"),
    ];
  } finally {
    readiness.close();
  }
}

/** Whether this program made the views; that it can read them is known once they are open. */
export function examineDatabase({ meta, erased, views }: Store): Finding[] {
  const made = meta.get("fold_version");
  const findings: Finding[] = [];
  if (made !== undefined && made !== String(FOLD_VERSION))
    findings.push(
      warn(
        "database",
        `the views were made by fold rules of version ${made}, this program's are ${FOLD_VERSION}: old and new are served side by side`,
        "npx lead-view rebuild",
      ),
    );
  const duties = erased.countDuties();
  if (duties > 0)
    findings.push(
      warn(
        "database",
        `${duties} erases are still to be done in kept generations`,
        "a running projector does them; where that stays so, npx lead-view generations remove",
      ),
    );
  return findings.length > 0
    ? findings
    : [ok("database", `schema and fold rules are this program's (${views.count()} views)`)];
}

export function examineDeadLetters({ deadLetters }: Store): Finding[] {
  const letters = deadLetters.count();
  if (letters === 0) return [ok("dead letters", "there are none")];
  return [
    warn(
      "dead letters",
      `${letters} records could not be folded`,
      "npx lead-view dead-letters list says which and why; retry them after a fix, or discard them",
    ),
  ];
}

/** What waits to be handed on, and what was set aside on its way. */
export function examineRelays(store: Store, { kafka }: Config): Finding[] {
  const { setAsides, views, relays } = store;
  const findings: Finding[] = [];
  if (kafka !== undefined && isHeldBack(store))
    findings.push(
      warn(
        "relays",
        "nothing is published: this folder was restored",
        "where it is to publish, and the one that it was copied from does not any more: npx lead-view relays resume",
      ),
    );
  for (const { relay, waiting, held } of setAsides.counts()) {
    if (waiting > 0)
      findings.push(
        warn(
          "relays",
          `${relay}: ${waiting} were refused, and are tried again by themselves`,
          `npx lead-view relays aside --relay ${relay}`,
        ),
      );
    if (held > 0)
      findings.push(
        fail(
          "relays",
          `${relay}: ${held} are tried again by a command only`,
          `npx lead-view relays aside --relay ${relay} says why; then relays retry`,
        ),
      );
  }
  const waiting = kafka === undefined ? 0 : views.waiting(relays.position(VIEWS_RELAY));
  if (waiting > 0)
    findings.push(
      warn(
        "relays",
        `${waiting} changed views are not in the topic of views yet`,
        "look again in a moment; where the number does not fall, look into the projector's log for what the broker says",
      ),
    );
  return findings.length > 0 ? findings : [ok("relays", "nothing waits, and nothing is set aside")];
}
