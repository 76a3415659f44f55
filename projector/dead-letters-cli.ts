// `npm run dead-letters -- list [--after ID] | show ID | retry ID | discard ID`
import { parseArgs } from "node:util";
import { readConfig } from "../shared/config.ts";
import { viewFile } from "../shared/generation.ts";
import { createLog } from "../shared/log.ts";
import { createDecoder } from "./decode/decode.ts";
import { DecodeError } from "./decode/decode-error.ts";
import { refoldLeads } from "./rebuild/refold.ts";
import { headersToJson } from "./source/headers.ts";
import { openHistorySource } from "./source/open-source.ts";
import { NO_TIMESTAMP } from "./source/source.ts";
import type { StoredDeadLetter } from "./store/dead-letters.ts";
import { openStore, type Store } from "./store/store.ts";

const USAGE = "usage: npm run dead-letters -- list [--after ID] | show ID | retry ID | discard ID";
const PAGE = 100;

const { positionals, values } = parseArgs({ allowPositionals: true, options: { after: { type: "string" } } });
const config = readConfig(process.env);
const store = openStore(viewFile(config));
try {
  process.exitCode = await run(store, positionals[0], Number(positionals[1]));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  store.close();
}

async function run({ deadLetters }: Store, command: string | undefined, id: number): Promise<number> {
  if (command === "list") {
    const page = deadLetters.list(Number(values.after ?? 0), PAGE);
    for (const letter of page) console.log(lineOf(letter));
    console.log(`${page.length} of ${deadLetters.count()} dead letters`);
    return 0;
  }
  if (!["show", "retry", "discard"].includes(command ?? "") || !Number.isInteger(id)) {
    console.error(USAGE);
    return 2;
  }
  const letter = deadLetters.get(id);
  if (!letter) {
    console.error(`there is no dead letter ${id}`);
    return 1;
  }
  if (command === "show") show(letter);
  if (command === "discard") {
    deadLetters.remove(id);
    console.log(`discarded ${lineOf(letter)}`);
  }
  return command === "retry" ? retry(letter) : 0;
}

function lineOf({ id, failedAt, code, reason, record }: StoredDeadLetter): string {
  return `${id}  ${failedAt}  ${record.topic}/${record.partition}/${record.offset}  ${code}  ${reason}`;
}

/** The whole record: this is the one place that prints what it holds. */
function show(letter: StoredDeadLetter): void {
  const { key, timestamp, headers, value } = letter.record;
  console.log(lineOf(letter));
  console.log(`timestamp  ${timestamp === NO_TIMESTAMP ? "(none)" : new Date(timestamp).toISOString()}`);
  console.log(`headers    ${JSON.stringify(headersToJson(headers))}`);
  console.log(`key        ${key?.toString("utf8") ?? "(none)"}`);
  console.log(`value      ${value?.toString("utf8") ?? "(tombstone)"}`);
}

/** Folds the letter's lead again from its history, so that no old event is applied over a newer one. */
async function retry(letter: StoredDeadLetter): Promise<number> {
  const decode = createDecoder(config);
  let leadId: string;
  try {
    ({ leadId } = decode(letter.record));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    console.error(
      `it still is no event (${error.code}: ${error.message}): upgrade the program, or discard it`,
    );
    return 1;
  }
  const log = createLog("projector", "warn");
  const { folded, failed, recovered } = await refoldLeads(
    store,
    openHistorySource(config, log),
    decode,
    new Set([leadId]),
  );
  const again = failed.find(
    ({ record: { topic, partition, offset } }) =>
      topic === letter.record.topic &&
      partition === letter.record.partition &&
      offset === letter.record.offset,
  );
  if (again) {
    console.error(`it still can't be folded (${again.code}: ${again.reason})`);
    return 1;
  }
  console.log(`folded its lead again from ${folded} records; ${recovered} dead letters are gone`);
  return 0;
}
