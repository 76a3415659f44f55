import type { Command } from "commander";
import { does, type Outcome } from "../../shared/command-line/command.ts";
import { commandSettings } from "../../shared/command-line/settings.ts";
import { text } from "../../shared/command-line/values.ts";
import { parseJson } from "../../shared/events/exact-json.ts";
import { createPhases } from "./progress.ts";

/** Differences that are shown. */
const SHOWN = 10;

export function register(command: Command): void {
  does<{ from?: string }>(
    command.option(
      "--from <folder>",
      "fold an archive first, then the log from where the archive ends",
      text,
    ),
    {
      example: "verify",
      help: `Shows the first ${SHOWN} differences. Writes nothing that serves, and may run beside the projector.`,
      run: ({ from }) => check(from),
    },
  );
}

async function check(archive: string | undefined): Promise<Outcome> {
  const config = await commandSettings();
  const [{ verify }, { diffLines }] = await Promise.all([
    import("./verify.ts"),
    import("./view-differences.ts"),
  ]);
  const { update, finish } = createPhases();
  const { views, differing, first } = await verify(config, archive, update, SHOWN).finally(finish);
  const differences = first.map(({ leadId, kind, fresh, serving }) => ({
    leadId,
    kind,
    lines: fresh === null || serving === null ? [] : [...diffLines(parseJson(fresh), parseJson(serving))],
  }));
  return {
    json: { views, differing, first: differences },
    lines: [
      ...differences.flatMap(({ leadId, kind, lines }) => [
        `${leadId}: ${kind}`,
        ...lines.map((line) => `  ${line}`),
      ]),
      `${views} views from a fresh fold, ${differing} differ from the serving ones`,
    ],
    exitCode: differing === 0 ? 0 : 4,
  };
}
