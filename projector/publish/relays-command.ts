import type { Command } from "commander";
import { does } from "../../shared/command-line/command.ts";
import { commandSettings } from "../../shared/command-line/settings.ts";
import { table } from "../../shared/command-line/terminal.ts";
import { text } from "../../shared/command-line/values.ts";
import { ask } from "../owner/ask.ts";
import { readViews } from "../owner/read-views.ts";

const PAGE = 100;
const RELAY = "topic:views, topic:dead_letters, or webhook:ID";

export function register(command: Command): void {
  does(command.command("list").description("What was set aside on its way out, by relay."), {
    example: "relays list",
    async run() {
      const counts = await readViews((store) => store.setAsides.counts());
      return {
        json: { relays: counts },
        lines: table(
          ["relay", "tried again by itself", "by a command"],
          counts.map(({ relay, waiting, held }) => [relay, waiting, held]),
          "Nothing is set aside.",
        ),
      };
    },
  });
  does<{ relay: string; after: string }>(
    command
      .command("aside")
      .description(`Each of it, with the reason, ${PAGE} at once.`)
      .requiredOption("--relay <name>", RELAY, text)
      .option("--after <name>", "begin behind this one", ""),
    {
      example: "relays aside --relay topic:views",
      async run({ relay, after }) {
        const page = await readViews((store) => store.setAsides.list(relay, after, PAGE));
        const last = page.length === PAGE ? page.at(-1)?.name : undefined;
        const rows = page.map(({ name, number, reason, attempts, nextTryAt }) => [
          name,
          number,
          attempts,
          nextTryAt === null ? "by a command" : "by itself",
          reason,
        ]);
        return {
          json: { setAside: page, next: last ?? null },
          lines: [
            ...table(
              ["name", "change", "tries", "tried again", "reason"],
              rows,
              `${relay} has set nothing aside.`,
            ),
            ...(last === undefined ? [] : [`more: --after ${JSON.stringify(last)}`]),
          ],
        };
      },
    },
  );
  does<{ relay: string; name?: string }>(
    command
      .command("retry")
      .description("Tries one of it, or all that waits for a command, again.")
      .requiredOption("--relay <name>", RELAY, text)
      .option("--name <name>", "the one, as it is listed", text),
    {
      example: "relays retry --relay topic:views",
      async run({ relay, name }) {
        const args = { relay, ...(name === undefined ? {} : { name }) };
        const done = await ask(await commandSettings(), "resend", args);
        return { json: done, lines: [`${done.rows} are tried again`] };
      },
    },
  );
  does(command.command("resume").description("Lets a restored folder publish to topics."), {
    example: "relays resume",
    async run() {
      const done = await ask(await commandSettings(), "release", {});
      return {
        json: done,
        lines: [done.wasHeldBack ? "changes are published from here" : "nothing was held back"],
      };
    },
  });
}
