import { LRUCache } from "lru-cache";
import { wallClock } from "../shared/clock.ts";
import {
  createQuota,
  type Grant,
  type Quota,
  type Use,
  type UseQuota,
  useAlone,
} from "../shared/http/quota.ts";
import { WRONG_KEYS_PER_MINUTE } from "../shared/http/wrong-keys.ts";
import type { createAsker, Question } from "./primary.ts";

// Limits hold over all workers: the primary counts, and gives each worker a few uses at a time.

/** The limits of the API. */
export interface Quotas {
  /** Requests of a key; undefined = no limit. */
  readonly requests: UseQuota | undefined;
  /** Wrong keys from an address. */
  readonly wrongKeys: UseQuota;
}

type Limits = Readonly<Record<"requests" | "wrongKeys", number>>;

const limitsOf = (ratePerMinute: number): Limits => ({
  requests: ratePerMinute,
  wrongKeys: WRONG_KEYS_PER_MINUTE,
});

/**
 * In the primary: makes the function that gives uses to workers. A worker gets only part of what is left, so that what it
 * does not come to use can't keep the others from much; near the end that is one at a time.
 */
export function createQuotasOfWorkers(
  ratePerMinute: number,
  workers: number,
): (question: Extract<Question, { kind: "quota" }>) => Grant {
  const quotas = new Map(
    Object.entries(limitsOf(ratePerMinute)).map(([name, perMinute]) => [name, createQuota(perMinute)]),
  );
  return ({ quota: of, name, wanted }) => {
    const quota = quotas.get(of) as Quota;
    const { left } = quota.take(name, 0);
    return quota.take(name, Math.min(wanted, Math.max(1, Math.floor(left / (4 * workers)))));
  };
}

/** The limits as a worker, or a process that is alone, keeps them. */
export function createQuotas(ratePerMinute: number, ask: ReturnType<typeof createAsker>): Quotas {
  const use = (quota: keyof Limits): UseQuota => {
    if (ask !== undefined)
      return useLeased((name, wanted) => ask<Grant>({ kind: "quota", quota, name, wanted }));
    return useAlone(createQuota(limitsOf(ratePerMinute)[quota]));
  };
  return { requests: ratePerMinute > 0 ? use("requests") : undefined, wrongKeys: use("wrongKeys") };
}

const MOST_NAMES = 10_000;
const MOST_AT_ONCE = 1_000;
/** A lease that was used up sooner is followed by one of twice the size. */
const BUSY_MS = 100;

interface Lease {
  /** Granted and not used yet. */
  inHand: number;
  /** Left with the primary, when it was last asked. */
  beyond: number;
  endsAt: number;
  size: number;
  askedAt: number;
  waiting: number;
  asking: Promise<void> | undefined;
}

/** Uses what the primary granted, and asks it again where that is used up. */
export function useLeased(ask: (name: string, wanted: number) => Promise<Grant>): UseQuota {
  const leases = new LRUCache<string, Lease>({ max: MOST_NAMES });

  const renew = async (name: string, lease: Lease): Promise<void> => {
    lease.size = wallClock() - lease.askedAt < BUSY_MS ? Math.min(2 * lease.size, MOST_AT_ONCE) : 1;
    const { granted, left, endsAt } = await ask(name, Math.max(lease.size, lease.waiting));
    // What is still in hand of an older minute is void.
    lease.inHand = granted + (lease.endsAt === endsAt ? lease.inHand : 0);
    Object.assign(lease, { beyond: left, endsAt, askedAt: wallClock() });
  };

  const useAfterAsking = async (name: string, lease: Lease): Promise<Use> => {
    lease.waiting++;
    try {
      for (;;) {
        lease.asking ??= renew(name, lease).finally(() => {
          lease.asking = undefined;
        });
        await lease.asking;
        const used = useInHand(lease);
        if (used !== undefined) return used;
      }
    } finally {
      lease.waiting--;
    }
  };

  return (name) => {
    let lease = leases.get(name);
    if (lease === undefined) {
      lease = { inHand: 0, beyond: 1, endsAt: 0, size: 1, askedAt: 0, waiting: 0, asking: undefined };
      leases.set(name, lease);
    }
    return useInHand(lease) ?? useAfterAsking(name, lease);
  };
}

/** @returns undefined where the primary has to be asked */
function useInHand(lease: Lease): Use | undefined {
  const { endsAt } = lease;
  if (endsAt <= wallClock()) return undefined;
  if (lease.inHand > 0) {
    lease.inHand--;
    return { allowed: true, left: lease.inHand + lease.beyond, endsAt };
  }
  return lease.beyond === 0 ? { allowed: false, left: 0, endsAt } : undefined;
}
