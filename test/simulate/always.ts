import { partitionName, type SourceRecord } from "../../projector/source/source.ts";
import { numbersOf, positionsOf } from "./inspect.ts";
import { withoutUrls } from "./readers.ts";
import { READY_MAX_LAG_S, WORKSPACES } from "./simulation.ts";
import type { Run } from "./steps/life.ts";
import { canaryStart, foreignCanary } from "./what-was-said.ts";

/** Milliseconds after which a dead owner's last word is not believed any more, with the second between two words. */
const SILENCE_MS = 7_000;
/** Milliseconds by which views may be late and called up to date: what its owner said last is believed so long. */
const LATE_MS = READY_MAX_LAG_S * 1_000 + SILENCE_MS;

/** Reads a lead as each workspace does, and looks at what comes. */
export async function readLead({ simulation }: Run, leadId: string): Promise<void> {
  const { api, keys, log, readers, report } = simulation;
  if (!api?.actor.alive) return;
  for (const workspaceId of WORKSPACES) {
    const headers = { "x-api-key": keys.get(workspaceId) as string };
    const url = `/api/v1/leads/${encodeURIComponent(leadId)}`;
    const answer = await api.get(url, headers);
    const reader = readers.of(workspaceId);
    const other = WORKSPACES.find((one) => one !== workspaceId) as string;
    if (answer.statusCode === 404) {
      if (log.erased.has(leadId) && reader.leads.has(leadId)) reader.erased.add(leadId);
      continue;
    }
    if (answer.statusCode === 503) continue;
    if (answer.statusCode !== 200) {
      report(`reading ${leadId} of ${workspaceId} is answered ${answer.statusCode}: ${answer.body}`);
      continue;
    }
    if (answer.body.includes(foreignCanary(other))) report(`${reader.name} reads what ${other} said`);
    if (answer.body.includes(canaryStart(leadId)) && reader.erased.has(leadId))
      report(`${reader.name} reads ${leadId}, which it was told is erased`);
    const number = Number(/^"(\d+)/.exec(String(answer.headers.etag))?.[1]);
    reader.see(leadId, number, withoutUrls(answer.body));
  }
}

/** Reads the lead of the latest record, once that is folded: the answer is of no earlier state. */
export function readAfter({ simulation }: Run): void {
  const { api, keys, log, report } = simulation;
  const last = log.said.at(-1);
  if (!api?.actor.alive || !last) return;
  const headers = { "x-api-key": keys.get("ws-1") as string, "x-wait-for-position": last.position };
  void api.get(`/api/v1/leads/${encodeURIComponent(last.leadId)}`, headers).then(({ statusCode }) => {
    if (statusCode !== 200 && statusCode !== 404) return;
    const [topic, partition, offset] = last.position.split("/");
    const found = positionsOf(simulation)?.find(
      (one) => one.topic === topic && one.partition === Number(partition),
    );
    if ((found?.nextOffset ?? Number.POSITIVE_INFINITY) <= Number(offset))
      report(`${last.position} was waited for, answered ${statusCode}, and is not folded`);
  });
}

/** What has to hold after every step. */
export async function checkAlways(run: Run, index: number): Promise<void> {
  const { simulation } = run;
  const { machine, report } = simulation;
  for (const crash of machine.crashes.splice(0)) report(crash);
  await checkReady(run);
  if (index % LOOK_EVERY === 0) checkTold(run);
}

/** Steps between two looks at what subscribers were told. */
const LOOK_EVERY = 5;
/** Milliseconds within which whoever takes what comes is told of a change. */
const TOLD_MS = 500;

/**
 * Who was told up to a number was told of every lead whose latest change is not behind it; and who takes what comes is told
 * soon, whoever else reads.
 */
function checkTold(run: Run): void {
  const { machine, log, readers, report } = run.simulation;
  const open = readers.subscribers.filter(({ connection }) => connection);
  const rows = open.length === 0 ? undefined : numbersOf(run.simulation);
  if (!rows) return;
  const mayRepeat = isStillToBeRepeated(run);
  for (const { leadId, number } of rows)
    if (run.found.get(leadId)?.number !== number) run.found.set(leadId, { number, at: machine.now });
  for (const subscriber of open) {
    const { reader, workspaceId, leadId: only, last = 0, stalled, revoked, readsSince } = subscriber;
    for (const { leadId, number, workspaceId: owner } of rows) {
      if (owner !== workspaceId || (only ?? leadId) !== leadId) continue;
      // Who begins once it is erased is told nothing of it; a power cut can bring it back until that is folded again.
      if (log.erased.has(leadId)) continue;
      if (number > last) {
        const since = Math.max(run.found.get(leadId)?.at ?? 0, readsSince, run.awakeSince);
        if (!stalled && !revoked && machine.now - since > TOLD_MS)
          report(
            `${reader.name} was told up to ${last}, and of ${leadId} at ${number} not yet, ${machine.now - since} ms later`,
          );
        continue;
      }
      // What is back that a lost commit had replaced is told when the events of that are folded again.
      if (mayRepeat) continue;
      const known = reader.leads.get(leadId);
      if (known === undefined || known.number < number)
        report(`${reader.name} was told up to ${last}, and passed over by ${leadId} at ${number}`);
    }
  }
}

/** True until all is folded that may have been before the last loss. */
function isStillToBeRepeated({ mayRepeat, simulation }: Run): boolean {
  if (mayRepeat.size === 0) return false;
  const reached = new Map(positionsOf(simulation)?.map((one) => [partitionName(one), one.nextOffset]));
  for (const [name, end] of mayRepeat) if ((reached.get(name) ?? 0) >= end) mayRepeat.delete(name);
  return mayRepeat.size > 0;
}

/** Ready tells the truth. */
async function checkReady(run: Run): Promise<void> {
  const { simulation, setBack, awakeSince } = run;
  const { api, machine, outside, report } = simulation;
  if (!api?.actor.alive) return;
  const { statusCode } = await api.get("/health/ready");
  if (statusCode !== 200) return;
  if (!simulation.owner() && machine.now - simulation.ownerDiedAt > SILENCE_MS + setBack)
    report(`ready, ${machine.now - simulation.ownerDiedAt} ms after the last owner died`);
  // What stood still does first what it missed.
  if (machine.now - awakeSince < LATE_MS) return;
  // By the wall clock a lag can look smaller, where it was set back.
  const oldest = machine.wall() - LATE_MS - setBack;
  const isOld = ([name, records]: [string, readonly SourceRecord[]]) =>
    (records[run.folded.get(name) ?? 0]?.timestamp ?? oldest) < oldest;
  if (![...outside.log].some(isOld)) return;
  const positions = positionsOf(simulation);
  if (!positions) return;
  for (const { topic, partition, nextOffset } of positions)
    run.folded.set(`${topic}/${partition}`, nextOffset);
  for (const [name, records] of [...outside.log].filter(isOld)) {
    const { offset, timestamp } = records[run.folded.get(name) ?? 0] as SourceRecord;
    report(`ready, and ${name}/${offset} is not folded ${machine.wall() - timestamp} ms after it came`);
  }
}
