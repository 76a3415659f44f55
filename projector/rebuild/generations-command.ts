import type { Command } from "commander";
import { does, type Outcome } from "../../shared/command-line/command.ts";
import { commandSettings } from "../../shared/command-line/settings.ts";
import { table } from "../../shared/command-line/terminal.ts";
import { wholeNumber } from "../../shared/command-line/values.ts";
import { DATABASE_VERSION } from "../../shared/view/row.ts";
import { ask } from "../owner/ask.ts";
import { showProgress } from "../owner/show-progress.ts";
import { listGenerations } from "./generations.ts";

const number = wholeNumber(1, 999_999_999);

export function register(command: Command): void {
  does(command.command("list").description("Lists them: the one that serves, and those that are kept."), {
    example: "generations list",
    run: async () => list((await commandSettings()).databaseDir),
  });
  does<object, [number]>(
    command
      .command("switch")
      .description("Brings a kept generation up to date, and makes it the one that serves.")
      .argument("<number>", "as the list shows it", number),
    {
      example: "generations switch 1",
      async run(_options, generation) {
        const { signal, onProgress, finish } = showProgress();
        await ask(await commandSettings(), "switch", { generation }, { signal, onProgress }).finally(finish);
        return { json: { generation, serves: true }, lines: [`generation ${generation} serves`] };
      },
    },
  );
  does<object, [number]>(
    command
      .command("remove")
      .description("Removes a kept generation's file.")
      .argument("<number>", "as the list shows it", number),
    {
      example: "generations remove 1",
      async run(_options, generation) {
        await ask(await commandSettings(), "remove", { generation });
        return { json: { generation, removed: true }, lines: [`generation ${generation} is removed`] };
      },
    },
  );
}

function list(databaseDir: string): Outcome {
  const generations = listGenerations(databaseDir);
  if (generations.length === 0)
    throw new Error(`there is no view database in ${databaseDir}; set DATABASE_DIR to the projector's`);
  const rows = generations.map(({ number, serving, views, bytes, schemaVersion }) => [
    number,
    serving ? "serves" : "kept",
    views ?? `(schema version ${schemaVersion}, not ${DATABASE_VERSION})`,
    (bytes / 2 ** 20).toFixed(1),
  ]);
  return {
    json: { generations },
    lines: table(["generation", "state", "views", "MiB"], rows, ""),
  };
}
