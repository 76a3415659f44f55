import { type Command, InvalidArgumentError } from "commander";
import { does, type Outcome } from "../../shared/command-line/command.ts";
import { commandSettings } from "../../shared/command-line/settings.ts";
import { facts, table } from "../../shared/command-line/terminal.ts";
import { headersToJson } from "../source/headers.ts";
import { NO_TIMESTAMP, type RecordPosition, recordPosition, recordPositionName } from "../source/source.ts";
import type { StoredDeadLetter } from "../store/dead-letters.ts";
import type { Store } from "../store/store.ts";
import { ask } from "./ask.ts";
import { readViews } from "./read-views.ts";

const PAGE = 100;
const FIRST: RecordPosition = { topic: "", partition: 0, offset: 0 };
const POSITION = "its position in the log: topic/partition/offset";
const HELP =
  "A dead letter is named by its position in the log, topic/partition/offset, in every generation.";

export function register(command: Command): void {
  does<{ after: RecordPosition }>(
    command
      .command("list")
      .description(`Lists them by their positions, ${PAGE} at once.`)
      .option("--after <position>", "begin behind this one", position, FIRST),
    {
      example: "dead-letters list",
      help: HELP,
      run: ({ after }) => readViews((store) => list(store, after)),
    },
  );
  does<object, [RecordPosition]>(
    command
      .command("show")
      .description("Shows the whole record, and why it failed.")
      .argument("<position>", POSITION, position),
    {
      example: "dead-letters show omni.lead/0/17",
      help: "The one command that prints what a record holds, a person's data among it.",
      run: (_options, at) => readViews((store) => show(store, at)),
    },
  );
  does<object, [RecordPosition]>(
    command
      .command("retry")
      .description("Folds its lead again from its history: no old event is applied over newer ones.")
      .argument("<position>", POSITION, position),
    {
      example: "dead-letters retry omni.lead/0/17",
      help: HELP,
      async run(_options, at) {
        const letter = recordPositionName(at);
        const done = await ask(await commandSettings(), "retry", { letter });
        const { folded, recovered } = done;
        return {
          json: done,
          lines: [`folded its lead again from ${folded} records; ${recovered} dead letters are gone`],
        };
      },
    },
  );
  does<object, [RecordPosition]>(
    command
      .command("discard")
      .description("Removes it for good: a rebuild does not bring it back.")
      .argument("<position>", POSITION, position),
    {
      example: "dead-letters discard omni.lead/0/17",
      help: HELP,
      async run(_options, at) {
        const letter = recordPositionName(at);
        await ask(await commandSettings(), "discard", { letter });
        return { json: { discarded: letter }, lines: [`discarded ${letter}`] };
      },
    },
  );
}

function position(text: string): RecordPosition {
  const at = recordPosition(text);
  if (at) return at;
  throw new InvalidArgumentError(`"${text}" is no position such as omni.lead/0/17: topic/partition/offset.`);
}

const summaryOf = ({ failedAt, code, reason, leadId, record }: StoredDeadLetter) => ({
  position: recordPositionName(record),
  failedAt,
  code,
  reason,
  leadId,
});

function list({ deadLetters }: Store, after: RecordPosition): Outcome {
  const page = deadLetters.list(after, PAGE).map(summaryOf);
  const total = deadLetters.count();
  const next = page.length === PAGE ? page.at(-1)?.position : undefined;
  const rows = page.map(({ position, failedAt, code, reason }) => [position, failedAt, code, reason]);
  return {
    json: { total, deadLetters: page, next: next ?? null },
    lines: [
      ...table(
        ["position", "failed at", "code", "reason"],
        rows,
        total === 0 ? "There are no dead letters." : "There are none behind that position.",
      ),
      ...(total > 0 ? [`${page.length} of ${total} dead letters`] : []),
      ...(next === undefined ? [] : [`more: npx lead-view dead-letters list --after ${next}`]),
    ],
  };
}

function show({ deadLetters }: Store, at: RecordPosition): Outcome {
  const letter = deadLetters.get(at);
  if (!letter) throw new Error(`there is no dead letter ${recordPositionName(at)}`);
  const { key, timestamp, headers, value } = letter.record;
  const whole = {
    ...summaryOf(letter),
    timestamp: timestamp === NO_TIMESTAMP ? null : new Date(timestamp).toISOString(),
    headers: headersToJson(headers),
    key: key === null ? null : key.toString("utf8"),
    value: value === null ? null : value.toString("utf8"),
  };
  return {
    json: whole,
    lines: facts({
      position: whole.position,
      "failed at": whole.failedAt,
      code: whole.code,
      reason: whole.reason,
      lead: whole.leadId ?? "(not known)",
      timestamp: whole.timestamp ?? "(none)",
      headers: JSON.stringify(whole.headers),
      key: whole.key === null ? "(none)" : JSON.stringify(whole.key),
      value: whole.value === null ? "(tombstone)" : JSON.stringify(whole.value),
    }),
  };
}
