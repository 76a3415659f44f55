import { expect, test } from "vitest";
import { nextLockOut } from "../../../../projector/ops/expiries.ts";

test("whoever has a key that does not expire, or a later one, is not locked out", () => {
  const key = (name: string, expiresAt: number | null) => ({ workspaceId: "ws-1", name, expiresAt });
  expect(nextLockOut([], 0)).toBeUndefined();
  expect(nextLockOut([key("a", 5), key("a", null)], 0)).toBeUndefined();
  expect(nextLockOut([key("a", 5), key("a", 9), key("b", 7)], 0)).toBe(7);
  expect(nextLockOut([key("a", 5), key("b", 7)], 6)).toBe(7);
  expect(nextLockOut([key("a", 5)], 6)).toBeUndefined();
});
