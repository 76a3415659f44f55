import { isIPv6 } from "node:net";
import { wallClock } from "../clock.ts";
import { ProblemError } from "./problem.ts";
import { createQuota, type UseQuota, useAlone } from "./quota.ts";

/** Wrong keys that one address may try in a minute. */
export const WRONG_KEYS_PER_MINUTE = 30;

/** Counts wrong keys in this process. */
export function createWrongKeyCount(): UseQuota {
  return useAlone(createQuota(WRONG_KEYS_PER_MINUTE));
}

/**
 * What a request without a right key is answered: 401, and after some of them from one address in a minute 429, which
 * keeps it from trying keys. Requests with a right key are never asked for this.
 * @param unauthorized the 401's detail
 */
export async function wrongKeyProblem(
  count: UseQuota,
  ip: string,
  unauthorized: string,
): Promise<ProblemError> {
  const { allowed, endsAt } = await count(networkOf(ip));
  if (allowed) return new ProblemError(401, unauthorized);
  const seconds = Math.max(1, Math.ceil((endsAt - wallClock()) / 1_000));
  return new ProblemError(
    429,
    `Too many wrong keys came from this address. Try again in ${seconds} seconds.`,
    { "retry-after": String(seconds) },
  );
}

/** Who has one IPv6 address has the 2^64 of its network. */
function networkOf(ip: string): string {
  if (!isIPv6(ip) || ip.includes(".")) return ip;
  const [head = "", tail = ""] = ip.split("::");
  const [first, last] = [head, tail].map((groups) => groups.split(":").filter(Boolean));
  const zeros = Array.from({ length: 8 - (first?.length ?? 0) - (last?.length ?? 0) }, () => "0");
  return [...(first ?? []), ...zeros, ...(last ?? [])].slice(0, 4).join(":");
}
