// `npm run relays -- list | aside --relay R [--after NAME] | retry --relay R [--name NAME]`
import { parseArgs } from "node:util";
import { readConfig } from "../../shared/config.ts";
import { ask } from "../owner/ask.ts";
import { openStoreToRead } from "../store/store.ts";
import { DEAD_LETTERS_RELAY } from "./dead-letter-topic.ts";
import { VIEWS_RELAY } from "./view-topic.ts";

const USAGE = `usage: npm run relays -- COMMAND

  list                               what was set aside on its way, by relay: ${VIEWS_RELAY}, ${DEAD_LETTERS_RELAY}, webhook:ID
  aside --relay R [--after NAME]     each of it, with the reason
  retry --relay R [--name NAME]      tries one of it, or all that waits for a command, again

Exit codes: 0 done, 1 failed, 2 wrong usage.`;
const PAGE = 100;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        relay: { type: "string" },
        name: { type: "string" },
        after: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const { relay, name, after = "" } = values;
    const config = readConfig(process.env);
    const [command, ...rest] = positionals;
    if (rest.length > 0 || !(command === "list" || relay !== undefined)) return wrong();
    if (command === "retry") {
      const args = { relay: relay as string, ...(name === undefined ? {} : { name }) };
      const { rows } = await ask(config, "resend", args);
      console.log(`${rows} are tried again`);
      return 0;
    }
    const store = openStoreToRead(config);
    try {
      if (command === "list") {
        const counts = store.setAsides.counts();
        for (const { relay, waiting, held } of counts)
          console.log(`${relay}  ${waiting} tried again by itself  ${held} by a command`);
        if (counts.length === 0) console.log("nothing is set aside");
        return 0;
      }
      if (command !== "aside") return wrong();
      const page = store.setAsides.list(relay as string, after, PAGE);
      for (const { name, number, reason, attempts, nextTryAt } of page) {
        const next = nextTryAt === null ? "by a command" : "by itself";
        console.log(`${JSON.stringify(name)}  ${number}  ${attempts} tries, then ${next}  ${reason}`);
      }
      console.log(
        page.length === PAGE ? `more: --after ${JSON.stringify(page.at(-1)?.name)}` : `${page.length} in all`,
      );
      return 0;
    } finally {
      store.close();
    }
  } catch (error) {
    console.error((error as Error).message);
    return (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
  }
}

function wrong(): number {
  console.error(USAGE);
  return 2;
}
