import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { readConfig } from "../../shared/config.ts";
import { createLog } from "../../shared/log.ts";
import { createDecoder } from "../decode/decode.ts";
import { withWorkspacePartitions } from "../source/kafka/workspace-partitions.ts";
import { openHistorySource } from "../source/open-source.ts";
import { openStoreToRead } from "../store/store.ts";
import { type HistoryRecord, inOrder, leadHistory } from "./lead-history.ts";
import { leadSteps } from "./lead-steps.ts";

/** What the thread is asked: some of the lead's steps. */
interface Question {
  readonly from: number;
  readonly most: number;
}

/** A page of steps, as it goes from thread to thread and on to the page. */
export interface StepsPage {
  /** Of `LeadSteps`. */
  readonly json: string;
  /** Records of the lead. */
  readonly total: number;
}

type Answer = StepsPage | { readonly error: string };

/** A lead whose history was read: its steps can be asked for. */
export interface HistoryThread {
  readonly leadId: string;
  /** @throws Error where the history can't be read, or the thread was ended */
  steps(from: number, most: number): Promise<StepsPage>;
  end(): void;
}

/** A history that needs more is too large to be looked at; the projector is to live on. */
const MOST_HEAP_MIB = 1_024;

/** Begins to read a lead's history, on a thread of its own, so that the fold does not wait for it. */
export function openHistoryThread(leadId: string): HistoryThread {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { historyOf: leadId },
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MIB },
  });
  worker.unref();
  let asked: PromiseWithResolvers<StepsPage> | undefined;
  let ended: Error | undefined;
  const fail = (error: Error) => {
    ended ??= error;
    asked?.reject(ended);
    asked = undefined;
  };
  worker.on("message", (answer: Answer) => {
    if ("json" in answer) asked?.resolve(answer);
    else asked?.reject(new Error(answer.error));
    asked = undefined;
  });
  worker.on("error", fail);
  worker.on("exit", () => fail(new Error("the look-up was ended")));
  return {
    leadId,
    steps(from, most) {
      if (ended) return Promise.reject(ended);
      asked = Promise.withResolvers<StepsPage>();
      worker.postMessage({ from, most } satisfies Question);
      return asked.promise;
    },
    end: () => void worker.terminate(),
  };
}

async function serve(leadId: string): Promise<void> {
  const reading = read(leadId);
  // It is told of where it is asked for.
  reading.catch(() => undefined);
  parentPort?.on("message", async ({ from, most }: Question) => {
    let answer: Answer;
    try {
      const found = leadSteps(leadId, await reading, from, most);
      answer = { json: JSON.stringify(found), total: found.total };
    } catch (error) {
      answer = { error: (error as Error).message };
    }
    parentPort?.postMessage(answer);
  });
}

async function read(leadId: string): Promise<readonly HistoryRecord[]> {
  const config = readConfig(process.env);
  const store = openStoreToRead(config);
  try {
    const log = createLog("projector", "warn");
    const source = openHistorySource(config, log);
    const decode = createDecoder(await withWorkspacePartitions(config, log));
    return inOrder(await leadHistory(source, decode, store.positions.all(), leadId));
  } finally {
    store.close();
  }
}

if (!isMainThread && typeof workerData?.historyOf === "string") await serve(workerData.historyOf);
