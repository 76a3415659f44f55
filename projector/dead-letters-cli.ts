// `npm run dead-letters -- list [--after POSITION] | show POSITION | retry POSITION | discard POSITION`
import { parseArgs } from "node:util";
import { readConfig } from "../shared/config.ts";
import { ask } from "./owner/ask.ts";
import { headersToJson } from "./source/headers.ts";
import { NO_TIMESTAMP, type RecordPosition, recordPosition, recordPositionName } from "./source/source.ts";
import type { StoredDeadLetter } from "./store/dead-letters.ts";
import { openStoreToRead, type Store } from "./store/store.ts";

const USAGE = `usage: npm run dead-letters -- list [--after POSITION] | show POSITION | retry POSITION | discard POSITION
A dead letter is named by its position in the log: topic/partition/offset.`;
const PAGE = 100;
const FIRST: RecordPosition = { topic: "", partition: 0, offset: 0 };

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { after: { type: "string" }, help: { type: "boolean", short: "h", default: false } },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    return await run(positionals[0], positionals[1], values.after);
  } catch (error) {
    console.error((error as Error).message);
    return (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
  }
}

async function run(
  command: string | undefined,
  letter: string | undefined,
  after: string | undefined,
): Promise<number> {
  const config = readConfig(process.env);
  const start = after === undefined ? FIRST : recordPosition(after);
  const at = letter === undefined ? undefined : recordPosition(letter);
  if (command === "list" && letter === undefined && start) return reading((store) => list(store, start));
  if (at && command === "show") return reading((store) => show(store, at));
  if (at && command === "retry") {
    const { folded, recovered } = await ask(config, "retry", { letter: recordPositionName(at) });
    console.log(`folded its lead again from ${folded} records; ${recovered} dead letters are gone`);
    return 0;
  }
  if (at && command === "discard") {
    await ask(config, "discard", { letter: recordPositionName(at) });
    console.log(`discarded ${letter}`);
    return 0;
  }
  console.error(USAGE);
  return 2;

  function reading(work: (store: Store) => number): number {
    const store = openStoreToRead(config);
    try {
      return work(store);
    } finally {
      store.close();
    }
  }
}

function list({ deadLetters }: Store, after: RecordPosition): number {
  const page = deadLetters.list(after, PAGE);
  for (const letter of page) console.log(lineOf(letter));
  console.log(`${page.length} of ${deadLetters.count()} dead letters`);
  return 0;
}

function lineOf({ failedAt, code, reason, record }: StoredDeadLetter): string {
  return `${recordPositionName(record)}  ${failedAt}  ${code}  ${reason}`;
}

/** The whole record: this is the one place that prints what it holds, as JSON, so that no byte of it steers a terminal. */
function show({ deadLetters }: Store, at: RecordPosition): number {
  const letter = deadLetters.get(at);
  if (!letter) {
    console.error(`there is no dead letter ${recordPositionName(at)}`);
    return 1;
  }
  const { key, timestamp, headers, value } = letter.record;
  console.log(lineOf(letter));
  console.log(`timestamp  ${timestamp === NO_TIMESTAMP ? "(none)" : new Date(timestamp).toISOString()}`);
  console.log(`headers    ${printable(headersToJson(headers))}`);
  console.log(`key        ${key === null ? "(none)" : printable(key.toString("utf8"))}`);
  console.log(`value      ${value === null ? "(tombstone)" : printable(value.toString("utf8"))}`);
  return 0;
}

/** JSON without anything that a terminal takes for a command or that turns the text around. */
function printable(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
