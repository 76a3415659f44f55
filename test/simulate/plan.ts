import type { Kinds } from "../../projector/owner/handlers.ts";
import { createRandom, type Random } from "../generate/random.ts";
import type { DiskFault } from "./edges/sqlite.ts";
import type { Mood } from "./outside.ts";
import { JUNK, type Junk } from "./what-was-said.ts";

export const LEADS = 5;

/** What is asked of the owner; what it is about is chosen of what is there then, by a number. */
export type AskedKind =
  | Extract<keyof Kinds, "rebuild" | "switch" | "remove" | "refold" | "retry" | "discard" | "resend">
  | "rebuild aside"
  | "refold all"
  | "webhooks.remove"
  | "webhooks.redeliver";

/** One thing that happens. Each says by itself all that it does, so that a history without some of them still means something. */
export type Step =
  | { readonly kind: "append"; readonly from: number; readonly count: number }
  | { readonly kind: "erase"; readonly lead: number }
  | { readonly kind: "begin"; readonly lead: number }
  | { readonly kind: "junk"; readonly what: Junk; readonly lead: number; readonly other: number }
  | { readonly kind: "partition" }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "pause"; readonly ms: number }
  | { readonly kind: "clock"; readonly ms: number }
  | { readonly kind: "kill"; readonly by: "now" | "timers" | "effects"; readonly after: number }
  | { readonly kind: "kill standby" }
  | { readonly kind: "kill command"; readonly by: "now" | "timers" | "effects"; readonly after: number }
  | { readonly kind: "kill api" }
  | { readonly kind: "stop" }
  | { readonly kind: "start"; readonly index: number }
  | { readonly kind: "start api" }
  | ({ readonly kind: "disk"; readonly ms: number } & Pick<DiskFault, "code" | "files" | "share">)
  | { readonly kind: "lock"; readonly file: number; readonly ms: number }
  | { readonly kind: "power cut" }
  | { readonly kind: "copy" }
  | { readonly kind: "restore" }
  | { readonly kind: "ask"; readonly what: AskedKind; readonly which: number }
  | { readonly kind: "verify" }
  | { readonly kind: "upgrade" }
  | {
      readonly kind: "subscribe";
      readonly workspace: number;
      readonly lead: number | undefined;
      readonly ownKey: boolean;
    }
  | {
      readonly kind: "leave" | "come alone" | "resume" | "stall" | "read on" | "revoke";
      readonly which: number;
    }
  | { readonly kind: "endpoint"; readonly workspace: number }
  | { readonly kind: "broker" | "receiver"; readonly mood: Mood }
  | { readonly kind: "read"; readonly lead: number }
  | { readonly kind: "wait" };

type Draw = (random: Random) => Step;

const MOODS: readonly Mood[] = ["well", "well", "well", "down", "slow", "refusing", "losing answers"];
const CODES: readonly DiskFault["code"][] = [
  "ENOSPC",
  "SQLITE_FULL",
  "SQLITE_BUSY",
  "SQLITE_IOERR_WRITE",
  "SQLITE_READONLY",
];
const FILES = ["lead_view", "lead_view", "control", "webhooks", ""] as const;
const ASKED: readonly AskedKind[] = [
  "rebuild",
  "rebuild",
  "rebuild aside",
  "switch",
  "switch",
  "switch",
  "remove",
  "refold",
  "refold all",
  "retry",
  "discard",
  "resend",
  "webhooks.remove",
  "webhooks.redeliver",
];
const lead = (random: Random) => random.integer(0, LEADS - 1);

/** How often each thing happens, beside the others. */
const DRAWS: readonly (readonly [weight: number, draw: Draw])[] = [
  [26, (r) => ({ kind: "append", from: r.integer(0, 10_000), count: r.integer(1, 12) })],
  [30, (r) => ({ kind: "pass", ms: r.pick([1, 5, 10, 25, 25, 50, 50, 100, 200, 400]) })],
  [3, (r) => ({ kind: "pass", ms: r.integer(500, 2_500) })],
  [1, (r) => ({ kind: "pause", ms: r.pick([1_000, 10_000, 400_000, 7_200_000]) })],
  [2, (r) => ({ kind: "erase", lead: lead(r) })],
  [2, (r) => ({ kind: "begin", lead: lead(r) })],
  [2, (r) => ({ kind: "junk", what: r.pick(JUNK), lead: lead(r), other: lead(r) })],
  [0.3, () => ({ kind: "partition" })],
  [1, (r) => ({ kind: "clock", ms: r.pick([-60_000, -3_000, -500, 500, 3_000, 3_600_000]) })],
  [2, () => ({ kind: "kill", by: "now", after: 0 })],
  [3, (r) => ({ kind: "kill", by: "timers", after: r.integer(1, 40) })],
  [5, (r) => ({ kind: "kill", by: "effects", after: r.integer(1, 60) })],
  [0.5, () => ({ kind: "kill standby" })],
  [1, (r) => ({ kind: "kill command", by: r.pick(["now", "timers", "effects"]), after: r.integer(1, 40) })],
  [0.7, () => ({ kind: "kill api" })],
  [0.7, () => ({ kind: "stop" })],
  [9, (r) => ({ kind: "start", index: r.integer(0, 1) })],
  [4, () => ({ kind: "start api" })],
  [
    2,
    (r) => ({
      kind: "disk",
      code: r.pick(CODES),
      files: r.pick(FILES),
      share: r.pick([0.2, 1]),
      ms: r.pick([50, 300, 2_000]),
    }),
  ],
  [1, (r) => ({ kind: "lock", file: r.integer(0, 20), ms: r.pick([50, 300, 2_000, 7_000]) })],
  [0.6, () => ({ kind: "power cut" })],
  [0.3, () => ({ kind: "copy" })],
  [0.3, () => ({ kind: "restore" })],
  [8, (r) => ({ kind: "ask", what: r.pick(ASKED), which: r.integer(0, 20) })],
  [0.6, () => ({ kind: "verify" })],
  [0.3, () => ({ kind: "upgrade" })],
  [
    1.5,
    (r) => ({
      kind: "subscribe",
      workspace: r.integer(0, 1),
      lead: r.chance(0.3) ? lead(r) : undefined,
      ownKey: r.chance(0.3),
    }),
  ],
  [1.5, (r) => ({ kind: "leave", which: r.integer(0, 20) })],
  [2, (r) => ({ kind: "come alone", which: r.integer(0, 20) })],
  [4, (r) => ({ kind: "resume", which: r.integer(0, 20) })],
  [1, (r) => ({ kind: "stall", which: r.integer(0, 20) })],
  [2, (r) => ({ kind: "read on", which: r.integer(0, 20) })],
  [0.4, (r) => ({ kind: "revoke", which: r.integer(0, 20) })],
  [0.7, (r) => ({ kind: "endpoint", workspace: r.integer(0, 1) })],
  [2, (r) => ({ kind: "broker", mood: r.pick(MOODS) })],
  [2, (r) => ({ kind: "receiver", mood: r.pick(MOODS) })],
  [6, (r) => ({ kind: "read", lead: lead(r) })],
  [3, () => ({ kind: "wait" })],
];

/** Seeds in whose histories no process ends but by itself: so that what one holds has time to grow. */
export const isCalm = (seed: number): boolean => seed % 8 === 0;

const ENDS: ReadonlySet<Step["kind"]> = new Set([
  "kill",
  "kill standby",
  "kill command",
  "kill api",
  "stop",
  "power cut",
  "restore",
  "upgrade",
]);

/** Draws a history of things that happen. */
export function drawPlan(seed: number, steps: number): Step[] {
  const random = createRandom(seed);
  const draws = isCalm(seed) ? DRAWS.filter(([, draw]) => !ENDS.has(draw(random).kind)) : DRAWS;
  const total = draws.reduce((sum, [weight]) => sum + weight, 0);
  const plan: Step[] = [
    { kind: "start", index: 0 },
    { kind: "start", index: 1 },
    { kind: "append", from: 0, count: 20 },
    { kind: "pass", ms: 400 },
    { kind: "start api" },
    { kind: "subscribe", workspace: 0, lead: undefined, ownKey: false },
  ];
  while (plan.length < steps) plan.push(drawStep(random, draws, total));
  return plan;
}

function drawStep(random: Random, draws: typeof DRAWS, total: number): Step {
  let left = random.fraction() * total;
  for (const [weight, draw] of draws) {
    left -= weight;
    if (left < 0) return draw(random);
  }
  return { kind: "pass", ms: 10 };
}
