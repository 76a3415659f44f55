// One process owns the folder; a second one waits warm, and takes over when the first one dies (rule: one owner).
import { afterEach, beforeEach, expect, test } from "vitest";
import { createReadiness } from "../../../shared/control.ts";
import { type OwnerFolder, openOwnerFolder } from "../../harness/owner-folder.ts";
import { until } from "../../harness/wait.ts";

let at: OwnerFolder;
beforeEach(() => {
  at = openOwnerFolder();
});
afterEach(() => at.close());

const ready = async (address: string) => {
  const answer = await fetch(`${address}/health/ready`);
  return { status: answer.status, detail: ((await answer.json()) as { detail?: string }).detail };
};

test("a standby takes over from a killed owner in the middle of its work: nothing folded twice, nothing lost", async () => {
  const names = Array.from({ length: 10 }, (_, index) => `lead-${index}`);
  for (const leadId of names) at.say(leadId, "lead.created", { firstName: "First" });
  const owner = at.start();
  await at.shown("lead-9", "First");
  const standby = at.start();
  await standby.said("standby: another projector owns the folder");
  expect(await ready(await standby.opsAddress())).toEqual({
    status: 503,
    detail: expect.stringContaining("standby"),
  });
  // A log that is appended to twice would be there twice; what is not folded would be missing.
  const rounds = 400;
  for (let round = 0; round < rounds; round++) {
    const lines = names.map((leadId) => at.line(leadId, "action_log.created", { id: `log-${round}` }));
    at.append("omni.action_log", 0, lines.join(""));
    for (const leadId of names) at.say(leadId, "lead.updated", { firstName: `Round ${round}` });
    if (round === rounds / 2) {
      await until("some of it folded", () => at.folded() > 100);
      await owner.stop("SIGKILL");
    }
  }
  await at.shown("lead-9", `Round ${rounds - 1}`);
  await until("all of it folded", () => at.folded() === names.length * (1 + 2 * rounds));
  const address = await standby.opsAddress();
  await until("the standby is ready", async () => (await ready(address)).status === 200);
  expect(standby.lines().filter(({ msg }) => msg === "projector started")).toHaveLength(1);
  expect(at.run("verify").stdout).toContain("10 views from a fresh fold, 0 differ");
  at.read((store) => {
    const count = (sql: string) => store.db.prepare<[], number>(sql).pluck().get() as number;
    // The recent ones stand in pieces, a line each.
    const recent = count(
      `SELECT sum(length(content) - length(replace(content, char(10), '')) + 1) FROM lead_piece
       WHERE place % 524288 >= 262144`,
    );
    expect(recent + count("SELECT count(*) FROM action_log")).toBe(names.length * rounds);
    expect(store.deadLetters.count()).toBe(0);
  });
});

test("the standby is at work within a second of a SIGKILL, and the commands go to it", async () => {
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  const owner = at.start();
  await at.shown("lead-1", "Ann");
  const standby = at.start();
  await standby.said("standby: another projector owns the folder");
  await owner.stop("SIGKILL");
  const killedAt = Date.now();
  const line = await standby.said("projector started");
  // The machine that tests run on is slow at times: what is held here is that it waits for no timeout.
  expect(new Date(line.time as string | number).getTime() - killedAt).toBeLessThan(5_000);
  at.say("lead-1", "lead.updated", { firstName: "Anna" });
  await at.shown("lead-1", "Anna");
  expect(at.run("rebuild").stdout).toContain("generation 2 serves");
  await standby.said(/^request done$/);
  at.say("lead-1", "lead.updated", { firstName: "Annie" });
  await at.shown("lead-1", "Annie");
});

test("a folder tells readers whether it has an owner, and why it is not ready", async () => {
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  const readiness = createReadiness(at.databaseDir);
  try {
    expect(readiness.reason()).toMatch(/no projector is at work in this DATABASE_DIR; start one/);
    const owner = at.start();
    await until("ready", () => readiness.reason() === undefined);
    await owner.stop();
    expect(readiness.reason()).toMatch(/the projector stopped; start one/);
    const killed = at.start();
    await until("ready again", () => readiness.reason() === undefined);
    await killed.stop("SIGKILL");
    await until("the silence is noticed", () => readiness.reason() !== undefined);
    expect(readiness.reason()).toMatch(/has not been heard of since .*start one/);
  } finally {
    readiness.close();
  }
});
