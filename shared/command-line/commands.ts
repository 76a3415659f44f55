/** A command of `lead-view`: its module is loaded when it is called, and registers what it takes. */
export interface CommandEntry {
  readonly name: string;
  /** One line of the list of commands. */
  readonly summary: string;
  /** From the project's folder: each room keeps its own commands, and this is the only place that knows all. */
  readonly module: string;
}

/** All commands, in the order in which one gets to know them. */
export const COMMANDS: readonly CommandEntry[] = [
  { name: "start", summary: "runs the projector and the API", module: "shared/start/start-command.ts" },
  {
    name: "projector",
    summary: "folds the event log into views",
    module: "projector/projector-command.ts",
  },
  {
    name: "doctor",
    summary: "looks at what usually goes wrong, and says what to do",
    module: "projector/doctor/doctor-command.ts",
  },
  { name: "api", summary: "serves the views", module: "api/api-command.ts" },
  { name: "keys", summary: "makes, rotates and revokes API keys", module: "projector/keys/keys-command.ts" },
  {
    name: "view",
    summary: "shows a lead as it was, and the records that made it",
    module: "projector/rebuild/view-command.ts",
  },
  {
    name: "dead-letters",
    summary: "lists, shows, retries and discards records that can't be folded",
    module: "projector/owner/dead-letters-command.ts",
  },
  {
    name: "webhooks",
    summary: "tells addresses of changed views",
    module: "projector/publish/webhooks/webhooks-command.ts",
  },
  {
    name: "relays",
    summary: "shows and retries what was set aside on its way out",
    module: "projector/publish/relays-command.ts",
  },
  {
    name: "rebuild",
    summary: "makes every view, or those of a lead or workspace, anew",
    module: "projector/rebuild/rebuild-command.ts",
  },
  {
    name: "verify",
    summary: "compares the serving views with a fresh fold",
    module: "projector/rebuild/verify-command.ts",
  },
  {
    name: "generations",
    summary: "lists, switches and removes generations of the views",
    module: "projector/rebuild/generations-command.ts",
  },
  {
    name: "backup",
    summary: "saves views, keys and endpoints, while they are in use",
    module: "projector/backup/backup-command.ts",
  },
  {
    name: "restore",
    summary: "puts a backup in place, and folds what came behind it",
    module: "projector/backup/restore-command.ts",
  },
  {
    name: "topics",
    summary: "creates the Kafka topics, and compares those that exist",
    module: "projector/source/kafka/topics-command.ts",
  },
  {
    name: "produce",
    summary: "writes an archive into the Kafka topics",
    module: "projector/source/kafka/produce-command.ts",
  },
  {
    name: "archive",
    summary: "writes the Kafka topics into files",
    module: "projector/rebuild/archive-command.ts",
  },
  {
    name: "schemas",
    summary: "writes the JSON Schemas of the events and the view",
    module: "shared/events/schemas-command.ts",
  },
];
