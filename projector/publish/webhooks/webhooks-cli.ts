// `npm run webhooks -- list | show | add | remove | test | disable | enable | rotate-secret | undelivered | redeliver | resume`
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Config, readConfig } from "../../../shared/config.ts";
import { ask } from "../../owner/ask.ts";
import { openStoreToRead, type Store } from "../../store/store.ts";
import { waitingFor } from "./deliver.ts";
import { type Endpoint, openEndpointsToRead, relayOf, webhooksFile } from "./endpoints.ts";

const USAGE = `usage: npm run webhooks -- COMMAND

  add --workspace W --url U [--force]   tells an address of a workspace's changed views from now on; prints the secret
  list                                  all endpoints, and how they are doing
  show --id ID                          one of them
  test --id ID                          sends a message of the type webhook.test, and prints what was answered
  disable --id ID                       sends nothing any more; what changes waits
  enable --id ID                        sends again, beginning with what waited
  rotate-secret --id ID [--grace 24h]   a new secret; for so long (h or d) the old one signs too
  undelivered --id ID [--after LEAD]    changes that were not taken in three days of tries
  redeliver --id ID [--lead LEAD]       tries one of them, or all, again
  remove --id ID                        forgets the endpoint and what it was not told of
  resume                                lets a copied or restored folder send

Exit codes: 0 done, 1 failed, 2 wrong usage.`;
const PAGE = 100;
const HOUR_MS = 3_600_000;
const DEFAULT_GRACE_MS = 24 * HOUR_MS;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        workspace: { type: "string" },
        url: { type: "string" },
        id: { type: "string" },
        lead: { type: "string" },
        after: { type: "string" },
        grace: { type: "string" },
        force: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const [command, ...rest] = positionals;
    const done = rest.length === 0 && (await run(readConfig(process.env), command, values));
    if (done) return 0;
    console.error(USAGE);
    return 2;
  } catch (error) {
    console.error((error as Error).message);
    return (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
  }
}

interface Options {
  readonly workspace?: string;
  readonly url?: string;
  readonly id?: string;
  readonly lead?: string;
  readonly after?: string;
  readonly grace?: string;
  readonly force: boolean;
}

/** @returns false for what is no command, or lacks something */
async function run(config: Config, command: string | undefined, options: Options): Promise<boolean> {
  const { workspace, url, id, lead, after = "", grace, force } = options;
  if (command === "add" && workspace && url) {
    const added = await ask(config, "webhooks.add", { workspaceId: workspace, url, force });
    console.log(`${added.id}  ${added.secret}`);
    console.error("The secret signs each message (Standard Webhooks); it is not shown again.");
    return true;
  }
  if (command === "list") {
    reading(config, (endpoints, store) => {
      if (endpoints.length === 0) console.log("there is no endpoint");
      for (const endpoint of endpoints) console.log(lineOf(endpoint, store));
    });
    return true;
  }
  if (command === "resume") {
    const { endpoints } = await ask(config, "webhooks.resume", {});
    console.log(`webhooks are sent from here to ${endpoints} endpoints`);
    return true;
  }
  if (id === undefined) return false;
  if (command === "show") {
    reading(config, (endpoints, store) => show(found(endpoints, id), store));
  } else if (command === "undelivered") {
    reading(config, (endpoints, store) => undelivered(found(endpoints, id), store, after));
  } else if (command === "test") {
    const { status } = await ask(config, "webhooks.test", { id });
    console.log(`the receiver answered ${status}`);
    if (status < 200 || status > 299) throw new Error("it did not take the message");
  } else if (command === "redeliver") {
    const { changes } = await ask(config, "webhooks.redeliver", lead === undefined ? { id } : { id, lead });
    console.log(`${changes} changes are tried again`);
  } else if (command === "rotate-secret") {
    const graceMs = grace === undefined ? DEFAULT_GRACE_MS : durationMs(grace);
    if (graceMs === undefined) return false;
    const { secret } = await ask(config, "webhooks.rotate-secret", { id, graceMs });
    console.log(secret);
    console.error(
      "The secret is not shown again. Until the grace ends, messages are signed with the old one too.",
    );
  } else if (command === "remove" || command === "disable" || command === "enable") {
    await ask(config, `webhooks.${command}`, { id });
    console.log(`${command}d ${id}`);
  } else return false;
  return true;
}

function durationMs(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,4})([hd])$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * (unit === "d" ? 24 : 1) * HOUR_MS;
}

function found(endpoints: readonly Endpoint[], id: string): Endpoint {
  const endpoint = endpoints.find((one) => one.id === id);
  if (!endpoint) throw new Error(`there is no endpoint ${id}`);
  return endpoint;
}

const stateOf = ({ disabledReason, failingSince }: Endpoint): string =>
  disabledReason !== null
    ? `disabled: ${disabledReason}`
    : failingSince !== null
      ? `failing since ${new Date(failingSince).toISOString()}`
      : "active";

function lineOf(endpoint: Endpoint, store: Store): string {
  const { id, workspaceId, url } = endpoint;
  const { waiting, held } = countsOf(endpoint, store);
  return `${id}  ${workspaceId}  ${url}  ${stateOf(endpoint)}  ${waiting} waiting  ${held} undelivered`;
}

function countsOf(endpoint: Endpoint, store: Store) {
  const relay = relayOf(endpoint);
  const { waiting = 0, held = 0 } = store.setAsides.counts().find((one) => one.relay === relay) ?? {};
  return { waiting: waitingFor(store, endpoint) + waiting, retried: waiting, held };
}

function show(endpoint: Endpoint, store: Store): void {
  const { waiting, retried, held } = countsOf(endpoint, store);
  console.log(`id           ${endpoint.id}
workspace    ${endpoint.workspaceId}
url          ${endpoint.url}
state        ${stateOf(endpoint)}
added        ${new Date(endpoint.createdAt).toISOString()}
waiting      ${waiting}, ${retried} of them after a failure
undelivered  ${held}`);
}

function undelivered(endpoint: Endpoint, store: Store, after: string): void {
  const page = store.setAsides.held(relayOf(endpoint), after, PAGE);
  for (const { name, number, reason, attempts, since } of page)
    console.log(
      `${JSON.stringify(name)}  version ${number}  since ${new Date(since).toISOString()}  ${attempts} tries  ${reason}`,
    );
  const { held } = countsOf(endpoint, store);
  console.log(`${page.length} of ${held} undelivered changes`);
  const last = page.at(-1);
  if (last && page.length === PAGE) console.log(`more: --after ${JSON.stringify(last.name)}`);
}

function reading(config: Config, work: (endpoints: readonly Endpoint[], store: Store) => void): void {
  const file = webhooksFile(config.databaseDir);
  const store = openStoreToRead(config);
  try {
    if (!existsSync(file)) {
      work([], store);
      return;
    }
    const endpoints = openEndpointsToRead(file);
    try {
      work(endpoints.all(), store);
    } finally {
      endpoints.close();
    }
  } finally {
    store.close();
  }
}
