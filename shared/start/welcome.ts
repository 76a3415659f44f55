import { wallClock } from "../clock.ts";

/** What runs now, and how to try it. */
export interface Started {
  /** The API's address. */
  readonly address: string;
  readonly key: string;
  readonly workspace: string;
  /** The operator's page with its key; null where it is off. */
  readonly operator: string | null;
  /** Where the events come from, in words. */
  readonly eventLog: string;
  /** The folder of files; null with Kafka. */
  readonly eventLogDir: string | null;
  /** A lead that can be asked for; null where there is none yet. */
  readonly lead: string | null;
}

const FIRST_LEAD = "lead-1";

/** What `npm start` prints once all answers. */
export function welcome(started: Started): string {
  const { address, key, workspace, operator, eventLog, lead } = started;
  return `
The lead view is running on ${eventLog} (Ctrl-C stops it).

  address  ${address}
  API key  ${key}  (workspace ${workspace})
  operator ${operator ?? "off: set OPS_KEY"}

${lead === null ? `${howToBegin(started)}\n\n` : ""}${curl(started, lead ?? FIRST_LEAD)}
`;
}

const curl = ({ address, key }: Started, lead: string): string =>
  `curl -s -H 'x-api-key: ${key}' ${address}/api/v1/leads/${encodeURIComponent(lead)}`;

/** The first event, by hand. */
function howToBegin({ eventLogDir, workspace }: Started): string {
  const value = {
    id: "event-1",
    event: "lead.created",
    occurredAt: new Date(wallClock()).toISOString(),
    workspaceId: workspace,
    leadId: FIRST_LEAD,
    data: { firstName: "Ada", email: "ada@example.com" },
  };
  const record = JSON.stringify({ key: FIRST_LEAD, value });
  if (eventLogDir === null)
    return "There is no lead yet. Produce a first event, or write the example into the topics: npx lead-view produce --from shared/example";
  const folder = quoted(`${eventLogDir}/omni.lead`);
  return `There is no lead yet. Send the first event, and ask for its lead:

mkdir -p ${folder} && echo '${record}' >> ${folder}/0.ndjson`;
}

/** A path as a shell reads it back. */
const quoted = (path: string): string =>
  /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
