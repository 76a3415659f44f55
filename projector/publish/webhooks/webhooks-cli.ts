// `npm run webhooks -- add --workspace W --url U | list | remove --id ID | undelivered | forget --number N`
import { parseArgs } from "node:util";
import { readConfig } from "../../../shared/config.ts";
import { viewFile } from "../../../shared/generation.ts";
import { openStore } from "../../store/store.ts";
import { publicAddress } from "./address.ts";
import { type Endpoints, openEndpoints, webhooksFile } from "./endpoints.ts";

const USAGE =
  "usage: npm run webhooks -- add --workspace W --url U | list | remove --id ID | undelivered | forget --number N";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    workspace: { type: "string" },
    url: { type: "string" },
    id: { type: "string" },
    number: { type: "string" },
  },
});
const config = readConfig(process.env);
const endpoints = openEndpoints(webhooksFile(config.databaseDir));
try {
  process.exitCode = await run(endpoints, positionals[0]);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  endpoints.close();
}

async function run(endpoints: Endpoints, command: string | undefined): Promise<number> {
  const { workspace, url, id, number } = values;
  if (command === "add" && workspace && url && URL.canParse(url)) {
    await publicAddress(new URL(url), config.webhooksAllowPrivate);
    const store = openStore(viewFile(config));
    const added = endpoints.add(workspace, url, store.numbers.last());
    store.close();
    console.log(`${added.id}  ${added.secret}`);
    console.error("The secret signs each message (Standard Webhooks); it is not shown again.");
    return 0;
  }
  if (command === "list") {
    for (const { id, workspaceId, url, attempts } of endpoints.all()) {
      console.log(`${id}  ${workspaceId}  ${url}  ${attempts === 0 ? "ok" : `failing, ${attempts} tries`}`);
    }
    return 0;
  }
  if (command === "undelivered") {
    for (const { id, endpointId, leadId, version, error, failedAt } of endpoints.undelivered()) {
      console.log(`${id}  ${failedAt}  ${endpointId}  ${leadId}  version ${version}  ${error}`);
    }
    return 0;
  }
  const done =
    command === "remove" && id
      ? endpoints.remove(id)
      : command === "forget" && number
        ? endpoints.forget(Number(number))
        : undefined;
  if (done === undefined) console.error(USAGE);
  else console.log(done ? "done" : "there is none");
  return done === undefined ? 2 : done ? 0 : 1;
}
