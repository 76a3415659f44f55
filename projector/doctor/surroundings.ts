import { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { wallClock } from "../../shared/clock.ts";
import { type Config, keysFile } from "../../shared/config.ts";
import { listKeys } from "../../shared/keys.ts";
import { mistypedSettings } from "../../shared/mistyped-settings.ts";
import { openReader } from "../../shared/sqlite.ts";
import { openEndpointsToRead, webhooksFile } from "../publish/webhooks/endpoints.ts";
import { isAtHome } from "../publish/webhooks/home.ts";
import type { Store } from "../store/store.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const DAY_MS = 86_400_000;
/** How long before its end a key or certificate is spoken of. */
const SOON_MS = 14 * DAY_MS;
/** Milliseconds that the clock may stand behind the last number before it says something. */
const CLOCK_SLACK_MS = 60_000;

/** Settings that look mistyped, or that one would not want where others come by. */
export function examineSettings(config: Config): Finding[] {
  const findings = mistypedSettings(process.env).map(({ name, nearest }) =>
    warn("settings", `${name} is no setting`, `is ${nearest} meant? Otherwise nothing is to be done`),
  );
  if (config.s3 === undefined)
    findings.push(
      warn(
        "settings",
        "documents get URLs of the demo signer, which lead nowhere",
        "set S3_* to the document store, all or none",
      ),
    );
  if (config.webhooksAllowPrivate)
    findings.push(
      warn(
        "settings",
        "webhooks may be sent to private addresses, and by http",
        "unset WEBHOOKS_ALLOW_PRIVATE where others add endpoints",
      ),
    );
  return [...findings, ...certificate()].concat(
    findings.length === 0 ? [ok("settings", "all can be used")] : [],
  );
}

function certificate(): Finding[] {
  const file = process.env.KAFKA_TLS_CA_FILE;
  if (!file) return [];
  const left = Date.parse(new X509Certificate(readFileSync(file)).validTo) - wallClock();
  if (left > SOON_MS) return [];
  const says = `KAFKA_TLS_CA_FILE ends ${left < 0 ? "already" : `in ${Math.ceil(left / DAY_MS)} days`}`;
  return [
    left < 0 ? fail("settings", says, "get a new one") : warn("settings", says, "get a new one before"),
  ];
}

/** The folder of files that is the log. */
export function examineLogFolder({ eventLogDir }: Config): Finding[] {
  if (!existsSync(eventLogDir))
    return [
      fail(
        "log",
        `${eventLogDir}: there is no such folder`,
        "set EVENT_LOG_DIR to the folder of the event log, or set KAFKA_BROKERS",
      ),
    ];
  const topics = readdirSync(eventLogDir, { withFileTypes: true }).filter(
    (one) => one.isDirectory() && one.name.startsWith("omni."),
  );
  if (topics.length === 0)
    return [
      warn(
        "log",
        `${eventLogDir} holds no events yet`,
        "its files are <topic>/<partition>.ndjson; npm start prints a first event",
      ),
    ];
  return [ok("log", `the files below ${eventLogDir}/`)];
}

/** Endpoints that are sent nothing. */
export function examineWebhooks({ databaseDir }: Config): Finding[] {
  const file = webhooksFile(databaseDir);
  if (!existsSync(file)) return [ok("webhooks", "there are none")];
  const endpoints = openEndpointsToRead(file);
  try {
    const all = endpoints.all();
    if (!isAtHome(databaseDir, endpoints))
      return [
        warn(
          "webhooks",
          "nothing is sent: this folder is a copy, or was restored",
          "where it is to send, and the one that it was copied from is not any more: npx lead-view webhooks resume",
        ),
      ];
    const findings = all.flatMap(({ id, disabledReason, failingSince }) => {
      if (disabledReason !== null)
        return [
          warn(
            "webhooks",
            `${id} is disabled: ${disabledReason}`,
            `npx lead-view webhooks enable --id ${id}`,
          ),
        ];
      if (failingSince === null) return [];
      const since = new Date(failingSince).toISOString();
      return [warn("webhooks", `${id} fails since ${since}`, `npx lead-view webhooks test --id ${id}`)];
    });
    return findings.length > 0
      ? findings
      : [ok("webhooks", `${all.length} endpoints take what they are sent`)];
  } finally {
    endpoints.close();
  }
}

/** Keys that end soon; without any, nobody can read. */
export function examineKeys(config: Config): Finding[] {
  const create = "npx lead-view keys create --workspace W";
  if (!existsSync(keysFile(config))) return [warn("keys", "there are none: nobody can read", create)];
  const db = openReader(keysFile(config));
  try {
    const now = wallClock();
    const good = listKeys(db).filter(({ expiresAt }) => expiresAt === null || expiresAt > now);
    if (good.length === 0) return [warn("keys", "none is good: nobody can read", create)];
    const ending = good.filter(({ expiresAt }) => expiresAt !== null && expiresAt - now < SOON_MS);
    if (ending.length === 0) return [ok("keys", `${good.length} are good`)];
    return ending.map(({ hash, name, workspaceId, expiresAt }) =>
      warn(
        "keys",
        `the key "${name}" of workspace ${workspaceId} ends ${new Date(expiresAt as number).toISOString()}`,
        `npx lead-view keys rotate --hash ${hash.toString("hex").slice(0, 12)}`,
      ),
    );
  } finally {
    db.close();
  }
}

/** Numbers of changes keep above the wall clock: one that stands far behind them was set back. */
export function examineClock({ numbers }: Store): Finding[] {
  const ahead = numbers.last() / 1_000 - wallClock();
  if (ahead < CLOCK_SLACK_MS) return [ok("clock", "not behind what was written last")];
  return [
    warn(
      "clock",
      `the machine's clock is ${Math.round(ahead / 1_000)} s behind the last change: it was set back, or was ahead then`,
      "set it right (NTP); changes are numbered on from the last one, and nothing is lost",
    ),
  ];
}
