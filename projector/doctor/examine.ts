import { explain } from "../../shared/command-line/explain.ts";
import type { Config } from "../../shared/config.ts";
import type { Logger } from "../../shared/log.ts";
import { openStoreToRead, type Store } from "../store/store.ts";
import { examineDatabase, examineDeadLetters, examineProjector, examineRelays } from "./database.ts";
import { type Finding, fail } from "./finding.ts";
import { examineDisk, examineFolder } from "./folder.ts";
import { examineKafka } from "./kafka.ts";
import {
  examineClock,
  examineKeys,
  examineLogFolder,
  examineSettings,
  examineWebhooks,
} from "./surroundings.ts";

/**
 * Looks at what usually goes wrong, beside a projector or without one, and changes nothing. A look that fails is a finding,
 * so there is always a whole result, in the order in which it is to be read. It takes a moment: with Kafka, the broker is
 * asked, for up to ten seconds where it is away.
 *
 *     const findings: Finding[] = await examine(readConfig(process.env), log);
 *
 * @param log hears what the Kafka client has to say
 */
export async function examine(config: Config, log: Logger): Promise<Finding[]> {
  let store: Store | undefined;
  const withStore = (look: (store: Store) => Finding[]) => () => (store === undefined ? [] : look(store));
  const looks: (readonly [check: string, look: () => Finding[] | Promise<Finding[]>])[] = [
    ["settings", () => examineSettings(config)],
    ["folder", () => examineFolder(config)],
    ["disk", () => examineDisk(config)],
    ["projector", () => examineProjector(config)],
    [
      "database",
      () => {
        store = openStoreToRead(config);
        return examineDatabase(store);
      },
    ],
    config.kafka === undefined
      ? ["log", () => examineLogFolder(config)]
      : ["topics", () => examineKafka(config, store, log)],
    ["dead letters", withStore(examineDeadLetters)],
    ["relays", withStore((open) => examineRelays(open, config))],
    ["webhooks", () => examineWebhooks(config)],
    ["keys", () => examineKeys(config)],
    ["clock", withStore(examineClock)],
  ];
  const findings: Finding[] = [];
  try {
    for (const [check, look] of looks) {
      try {
        findings.push(...(await look()));
      } catch (error) {
        findings.push(fail(check, explain(error), "put that right, and look again"));
      }
    }
    return findings;
  } finally {
    store?.close();
  }
}
