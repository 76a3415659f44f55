import { type Dirent, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { TOPICS } from "../../../shared/events/catalogue.ts";

/** A file of the log. */
export interface LogFile {
  readonly path: string;
  readonly topic: string;
  readonly partition: number;
}

/** What looks like a part of the log and is none: why, and what to do. */
export interface NotTaken {
  readonly path: string;
  readonly reason: string;
}

/** Looks which files the log has now; each topic's in the order of their partitions. */
export type FolderLook = () => LogFile[];

/** A partition's number as it is written: 5, never 05, which the next start would look for under another name. */
const PARTITION_FILE = /^(0|[1-9]\d{0,5})\.ndjson$/;
const KNOWN_TOPICS: ReadonlySet<string> = new Set(Object.values(TOPICS));

/** @param onNotTaken told once of each file or folder that looks like the log's and is not read */
export function createFolderLook(folder: string, onNotTaken: (file: NotTaken) => void): FolderLook {
  const told = new Set<string>();
  const notTaken = (path: string, reason: string) => {
    if (told.has(path)) return;
    told.add(path);
    onNotTaken({ path, reason });
  };
  return () => {
    const files: LogFile[] = [];
    for (const entry of entriesOf(folder)) {
      const path = join(folder, entry.name);
      if (!KNOWN_TOPICS.has(entry.name)) {
        if (isFolder(entry, path) ? looksLikeTopic(entry.name, path) : entry.name.endsWith(".ndjson"))
          notTaken(
            path,
            `this is no part of the event log, whose files are TOPIC/PARTITION.ndjson ${AND_TOPICS}`,
          );
      } else if (isFolder(entry, path)) files.push(...partitionFiles(entry.name, path, notTaken));
      else
        notTaken(
          path,
          "this is no part of the event log: a topic is a folder with a file for each partition",
        );
    }
    return files;
  };
}

const AND_TOPICS = `and its topics ${[...KNOWN_TOPICS].join(", ")}; rename it, if its events are to be read`;

function partitionFiles(
  topic: string,
  folder: string,
  notTaken: (path: string, reason: string) => void,
): LogFile[] {
  const files: LogFile[] = [];
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry.name);
    const name = PARTITION_FILE.exec(entry.name);
    if (name && !isFolder(entry, path)) files.push({ path, topic, partition: Number(name[1]) });
    else if (!entry.name.startsWith("."))
      notTaken(
        path,
        "this is no part of the event log: a partition is a plain file by the name of its number, such as 0.ndjson or " +
          "12.ndjson; unpack or rename it, if its events are to be read",
      );
  }
  return files.sort((a, b) => a.partition - b.partition);
}

/** A folder that is named as topics are, or has files that are named as theirs. */
const looksLikeTopic = (name: string, folder: string): boolean =>
  name.startsWith("omni.") || entriesOf(folder).some((entry) => PARTITION_FILE.test(entry.name));

/** A link counts as what it leads to; one that leads nowhere is no folder. */
const isFolder = (entry: Dirent, path: string): boolean =>
  entry.isDirectory() ||
  (entry.isSymbolicLink() && (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false));

/** None where there is no such folder (yet). */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
