import { existsSync } from "node:fs";
import type { Command } from "commander";
import { does, type Outcome } from "../../../shared/command-line/command.ts";
import { commandSettings } from "../../../shared/command-line/settings.ts";
import { facts, table } from "../../../shared/command-line/terminal.ts";
import { duration, text } from "../../../shared/command-line/values.ts";
import { ask } from "../../owner/ask.ts";
import type { Store } from "../../store/store.ts";
import type { Endpoint } from "./endpoints.ts";

const PAGE = 100;
const DAY_MS = 86_400_000;

export function register(command: Command): void {
  does<{ workspace: string; url: string; force?: true }>(
    command
      .command("add")
      .description("Tells an address of a workspace's changed views from now on; prints the secret, once.")
      .requiredOption("--workspace <id>", "the workspace", text)
      .requiredOption("--url <url>", "the address", text)
      .option("--force", "also where the workspace has neither a lead nor a key"),
    {
      example: "webhooks add --workspace ws-123 --url https://example.com/hook",
      async run({ workspace, url, force = false }: { workspace: string; url: string; force?: boolean }) {
        const added = await ask(await commandSettings(), "webhooks.add", {
          workspaceId: workspace,
          url,
          force,
        });
        return {
          json: added,
          lines: [`${added.id}  ${added.secret}`],
          note: "The secret signs each message (Standard Webhooks); it is not shown again.",
        };
      },
    },
  );
  does(command.command("list").description("Lists the endpoints, and how they are doing."), {
    example: "webhooks list",
    run: () => reading(list),
  });
  does<{ id: string }>(withId(command.command("show").description("Shows one of them.")), {
    example: "webhooks show --id 6f0c",
    run: ({ id }) => reading((endpoints, reads) => show(found(endpoints, id), reads)),
  });
  does<{ id: string }>(
    withId(
      command
        .command("test")
        .description("Sends a message of the type webhook.test, and waits for the answer."),
    ),
    {
      example: "webhooks test --id 6f0c",
      async run({ id }) {
        const { status } = await ask(await commandSettings(), "webhooks.test", { id });
        const taken = status >= 200 && status <= 299;
        return {
          json: { id, status, taken },
          lines: [`the receiver answered ${status}${taken ? "" : ": it did not take the message"}`],
          exitCode: taken ? 0 : 1,
        };
      },
    },
  );
  switches(command, "disable", "Sends nothing to it any more; what changes waits.");
  switches(command, "enable", "Sends again, beginning with what waited.");
  does<{ id: string; grace: number }>(
    withId(command.command("rotate-secret").description("Gives a new secret, and prints it, once.")).option(
      "--grace <time>",
      "for how long the old one signs too (30m, 24h, 7d)",
      duration,
      DAY_MS,
    ),
    {
      example: "webhooks rotate-secret --id 6f0c --grace 24h",
      async run({ id, grace }) {
        const { secret } = await ask(await commandSettings(), "webhooks.rotate-secret", {
          id,
          graceMs: grace,
        });
        return {
          json: { id, secret },
          lines: [secret],
          note: "The secret is not shown again. Until the grace ends, messages are signed with the old one too.",
        };
      },
    },
  );
  does<{ id: string; after: string }>(
    withId(
      command
        .command("undelivered")
        .description(`Lists changes that were not taken in three days of tries, ${PAGE} at once.`),
    ).option("--after <lead>", "begin behind this lead", ""),
    {
      example: "webhooks undelivered --id 6f0c",
      run: ({ id, after }) => reading((endpoints, reads) => undelivered(found(endpoints, id), reads, after)),
    },
  );
  does<{ id: string; lead?: string }>(
    withId(command.command("redeliver").description("Tries what was not delivered again.")).option(
      "--lead <id>",
      "of this lead alone",
      text,
    ),
    {
      example: "webhooks redeliver --id 6f0c",
      async run({ id, lead }) {
        const args = lead === undefined ? { id } : { id, lead };
        const done = await ask(await commandSettings(), "webhooks.redeliver", args);
        return { json: done, lines: [`${done.changes} changes are tried again`] };
      },
    },
  );
  switches(command, "remove", "Forgets the endpoint, and what it was not told of.");
  does(command.command("resume").description("Lets a copied or restored folder send."), {
    example: "webhooks resume",
    async run() {
      const done = await ask(await commandSettings(), "webhooks.resume", {});
      return { json: done, lines: [`webhooks are sent from here to ${done.endpoints} endpoints`] };
    },
  });
}

const withId = (command: Command): Command =>
  command.requiredOption("--id <id>", "the endpoint, as the list shows it", text);

function switches(command: Command, name: "disable" | "enable" | "remove", description: string): void {
  does<{ id: string }>(withId(command.command(name).description(description)), {
    example: `webhooks ${name} --id 6f0c`,
    async run({ id }) {
      await ask(await commandSettings(), `webhooks.${name}`, { id });
      return { json: { id, [`${name}d`]: true }, lines: [`${name}d ${id}`] };
    },
  });
}

/** What the lists are made from: a reader's store, and how to name and count what waits. */
interface Reads {
  readonly store: Store;
  readonly relayOf: (endpoint: Pick<Endpoint, "id">) => string;
  readonly waitingFor: (store: Store, endpoint: Endpoint) => number;
}

async function reading(work: (endpoints: readonly Endpoint[], reads: Reads) => Outcome): Promise<Outcome> {
  const [{ openStoreToRead }, { openEndpointsToRead, relayOf, webhooksFile }, { waitingFor }] =
    await Promise.all([import("../../store/store.ts"), import("./endpoints.ts"), import("./deliver.ts")]);
  const config = await commandSettings();
  const file = webhooksFile(config.databaseDir);
  const store = openStoreToRead(config);
  const reads = { store, relayOf, waitingFor };
  try {
    if (!existsSync(file)) return work([], reads);
    const endpoints = openEndpointsToRead(file);
    try {
      return work(endpoints.all(), reads);
    } finally {
      endpoints.close();
    }
  } finally {
    store.close();
  }
}

function found(endpoints: readonly Endpoint[], id: string): Endpoint {
  const endpoint = endpoints.find((one) => one.id === id);
  if (!endpoint) throw new Error(`there is no endpoint ${id}`);
  return endpoint;
}

/** Without the secrets. */
function summaryOf(endpoint: Endpoint, { store, relayOf, waitingFor }: Reads) {
  const relay = relayOf(endpoint);
  const { waiting = 0, held = 0 } = store.setAsides.counts().find((one) => one.relay === relay) ?? {};
  const { id, workspaceId, url, disabledReason, failingSince, createdAt } = endpoint;
  return {
    id,
    workspace: workspaceId,
    url,
    state: disabledReason !== null ? "disabled" : failingSince !== null ? "failing" : "active",
    disabledReason,
    failingSince: failingSince === null ? null : new Date(failingSince).toISOString(),
    addedAt: new Date(createdAt).toISOString(),
    waiting: waitingFor(store, endpoint) + waiting,
    retried: waiting,
    undelivered: held,
  };
}

type Summary = ReturnType<typeof summaryOf>;

function stateOf({ state, disabledReason, failingSince }: Summary): string {
  if (state === "disabled") return `disabled: ${disabledReason}`;
  return state === "failing" ? `failing since ${failingSince}` : state;
}

function list(endpoints: readonly Endpoint[], reads: Reads): Outcome {
  const all = endpoints.map((endpoint) => summaryOf(endpoint, reads));
  return {
    json: { endpoints: all },
    lines: table(
      ["id", "workspace", "url", "state", "waiting", "undelivered"],
      all.map((one) => [one.id, one.workspace, one.url, stateOf(one), one.waiting, one.undelivered]),
      "There are no endpoints; npx lead-view webhooks add --workspace W --url U adds one.",
    ),
  };
}

function show(endpoint: Endpoint, reads: Reads): Outcome {
  const one = summaryOf(endpoint, reads);
  return {
    json: one,
    lines: facts({
      id: one.id,
      workspace: one.workspace,
      url: one.url,
      state: stateOf(one),
      added: one.addedAt,
      waiting: `${one.waiting}, ${one.retried} of them after a failure`,
      undelivered: one.undelivered,
    }),
  };
}

function undelivered(endpoint: Endpoint, { store, relayOf }: Reads, after: string): Outcome {
  const relay = relayOf(endpoint);
  const page = store.setAsides.held(relay, after, PAGE);
  const { held = 0 } = store.setAsides.counts().find((one) => one.relay === relay) ?? {};
  const last = page.length === PAGE ? page.at(-1)?.name : undefined;
  const rows = page.map(({ name, number, reason, attempts, since }) => [
    name,
    number,
    new Date(since).toISOString(),
    attempts,
    reason,
  ]);
  return {
    json: { total: held, undelivered: page, next: last ?? null },
    lines: [
      ...table(["lead", "version", "since", "tries", "reason"], rows, "Nothing is undelivered."),
      ...(held > 0 ? [`${page.length} of ${held} undelivered changes`] : []),
      ...(last === undefined ? [] : [`more: --after ${JSON.stringify(last)}`]),
    ],
  };
}
