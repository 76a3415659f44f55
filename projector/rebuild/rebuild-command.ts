import type { Command } from "commander";
import { does, type Outcome, UsageError } from "../../shared/command-line/command.ts";
import { commandSettings } from "../../shared/command-line/settings.ts";
import { text } from "../../shared/command-line/values.ts";
import { ask } from "../owner/ask.ts";
import { showProgress } from "../owner/show-progress.ts";

interface RebuildOptions {
  readonly from?: string;
  readonly switch?: boolean;
  readonly acceptLoss?: true;
  readonly lead?: string;
  readonly workspace?: string;
}

const HELP = `It is asked of the running projector, and Ctrl-C asks it to stop; where none runs, this command does it. The API answers
all the while.`;

export function register(command: Command): void {
  does<RebuildOptions>(
    command
      .option("--from <folder>", "fold an archive first, then the log from where the archive ends", text)
      .option("--no-switch", "keep the new generation ready (generations switch N makes it serve)")
      .option("--switch", "switch though records can't be folded that the serving views hold")
      .option("--accept-loss", "switch though the log holds less than the serving views were folded from")
      .option("--lead <id>", "fold one lead again, in place", text)
      .option("--workspace <id>", "fold a workspace's leads again, in place", text),
    {
      example: "rebuild",
      help: HELP,
      run: (options) => {
        const { lead, workspace } = options;
        if (lead === undefined && workspace === undefined) return rebuild(options);
        if (Object.keys(options).filter((name) => name !== "json").length > 1)
          throw new UsageError("--lead and --workspace fold a part in place: they go with no other option");
        return refold(lead === undefined ? { workspace: workspace as string } : { lead });
      },
    },
  );
}

async function refold(part: { lead: string } | { workspace: string }): Promise<Outcome> {
  const done = await ask(await commandSettings(), "refold", part);
  const { leads, folded, failed } = done;
  return {
    json: done,
    lines: [`${leads} leads folded again from ${folded} records; ${failed} records can't be folded`],
  };
}

async function rebuild({ from, acceptLoss, switch: switches }: RebuildOptions): Promise<Outcome> {
  const { signal, onProgress, finish } = showProgress();
  const done = await ask(
    await commandSettings(),
    "rebuild",
    {
      ...(from === undefined ? {} : { from }),
      switch: switches ?? true,
      acceptLoss: acceptLoss ?? false,
      acceptDeadLetters: switches ?? false,
    },
    { signal, onProgress },
  ).finally(finish);
  const { generation, serves } = done;
  return {
    json: done,
    lines: [
      serves
        ? `generation ${generation} serves; the one before is kept (npx lead-view generations list)`
        : `generation ${generation} is ready; npx lead-view generations switch ${generation} makes it serve`,
    ],
  };
}
