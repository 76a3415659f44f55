import { existsSync } from "node:fs";
import { wallClock } from "../../../shared/clock.ts";
import type { Config } from "../../../shared/config.ts";
import { keysFile } from "../../../shared/config.ts";
import { listKeys } from "../../../shared/keys.ts";
import { openReader } from "../../../shared/sqlite.ts";
import type { Store } from "../../store/store.ts";
import { publicAddress } from "./address.ts";
import { type Endpoint, type Endpoints, openEndpoints, relayOf, webhooksFile } from "./endpoints.ts";
import { isAtHome, settleHere } from "./home.ts";
import { testMessage } from "./message.ts";
import { ANSWER_MS, post } from "./post.ts";

/** Why an endpoint is disabled that somebody disabled. */
export const BY_OPERATOR = "disabled by an operator";

/** What is asked of webhooks, with what it takes and what comes of it. */
export interface WebhookKinds {
  "webhooks.add": {
    arguments: { workspaceId: string; url: string; force: boolean };
    result: { id: string; secret: string };
  };
  "webhooks.remove": { arguments: { id: string }; result: { id: string } };
  "webhooks.disable": { arguments: { id: string }; result: { id: string } };
  "webhooks.enable": { arguments: { id: string }; result: { id: string } };
  "webhooks.rotate-secret": {
    arguments: { id: string; graceMs: number };
    result: { id: string; secret: string };
  };
  "webhooks.test": { arguments: { id: string }; result: { status: number } };
  "webhooks.redeliver": { arguments: { id: string; lead?: string }; result: { changes: number } };
  "webhooks.resume": { arguments: object; result: { endpoints: number } };
}

/** What carrying out needs of the owner of the views. */
export interface WebhookOwner {
  readonly config: Config;
  betweenCommits<T>(work: (store: Store) => T): Promise<T>;
}

type WebhookHandlers = {
  [K in keyof WebhookKinds]: (
    args: WebhookKinds[K]["arguments"],
    carrying: { readonly owner: WebhookOwner; readonly signal: AbortSignal },
  ) => Promise<WebhookKinds[K]["result"]>;
};

/** Carries out what is asked of webhooks; only the owner does. */
export const WEBHOOK_HANDLERS: WebhookHandlers = {
  async "webhooks.add"({ workspaceId, url, force }, { owner }) {
    if (!URL.canParse(url)) throw new Error(`${url} is no URL`);
    await publicAddress(new URL(url), owner.config.webhooksAllowPrivate);
    return owner.betweenCommits((store) => {
      if (!force && !isKnown(workspaceId, store, owner.config))
        throw new Error(
          `workspace ${workspaceId} has neither a lead nor a key: is it written right? With --force it is added all the same`,
        );
      return withEndpoints(owner, (endpoints) => {
        const isFirst = endpoints.all().length === 0;
        const { id, secret } = endpoints.add(workspaceId, url, store.numbers.last(), wallClock());
        // Whoever adds the first one knows where they are.
        if (isFirst) settleHere(owner.config.databaseDir, endpoints);
        return { id, secret };
      });
    });
  },
  async "webhooks.remove"({ id }, { owner }) {
    // Where it stood is forgotten by whoever delivers (webhooks/deliver.ts).
    withEndpoints(owner, (endpoints) => endpoints.remove(known(endpoints, id).id));
    return { id };
  },
  async "webhooks.disable"({ id }, { owner }) {
    withEndpoints(owner, (endpoints) => endpoints.disable(known(endpoints, id).id, BY_OPERATOR));
    return { id };
  },
  async "webhooks.enable"({ id }, { owner }) {
    withEndpoints(owner, (endpoints) => endpoints.enable(known(endpoints, id).id));
    return { id };
  },
  async "webhooks.rotate-secret"({ id, graceMs }, { owner }) {
    const secret = withEndpoints(owner, (endpoints) =>
      endpoints.rotate(known(endpoints, id).id, wallClock() + graceMs),
    );
    return { id, secret };
  },
  async "webhooks.test"({ id }, { owner, signal }) {
    const endpoint = withEndpoints(owner, (endpoints) => known(endpoints, id));
    const allowPrivate = owner.config.webhooksAllowPrivate;
    const posting = { allowPrivate, answerMs: ANSWER_MS, signal };
    const { status } = await post(endpoint.url, testMessage(endpoint, new Date(wallClock())), posting);
    return { status };
  },
  async "webhooks.redeliver"({ id, lead }, { owner }) {
    const relay = relayOf(withEndpoints(owner, (endpoints) => known(endpoints, id)));
    const changes = await owner.betweenCommits(({ setAsides }) =>
      lead === undefined ? setAsides.retryHeld(relay) : Number(setAsides.retry(relay, lead)),
    );
    if (changes === 0 && lead !== undefined)
      throw new Error(`nothing of lead ${lead} is undelivered to ${id}`);
    return { changes };
  },
  async "webhooks.resume"(_args, { owner }) {
    return withEndpoints(owner, (endpoints) => {
      if (!isAtHome(owner.config.databaseDir, endpoints)) settleHere(owner.config.databaseDir, endpoints);
      return { endpoints: endpoints.all().length };
    });
  },
};

/** @throws Error where there is no such endpoint */
function known(endpoints: Pick<Endpoints, "get">, id: string): Endpoint {
  const endpoint = endpoints.get(id);
  if (!endpoint) throw new Error(`there is no endpoint ${id}`);
  return endpoint;
}

/** A connection of its own, which does wait for a lock: this is one request, which nobody's fold waits for. */
function withEndpoints<T>({ config }: WebhookOwner, work: (endpoints: Endpoints) => T): T {
  const endpoints = openEndpoints(webhooksFile(config.databaseDir));
  try {
    return work(endpoints);
  } finally {
    endpoints.close();
  }
}

/** True where anything here speaks of the workspace. */
function isKnown(workspaceId: string, { views }: Store, config: Config): boolean {
  if (views.ofWorkspace(workspaceId, 0, 1).length > 0) return true;
  if (!existsSync(keysFile(config))) return false;
  const keys = openReader(keysFile(config));
  try {
    return listKeys(keys).some((key) => key.workspaceId === workspaceId);
  } finally {
    keys.close();
  }
}
