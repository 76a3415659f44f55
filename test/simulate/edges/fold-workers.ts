import type { Config } from "../../../shared/config.ts";

/** As many as the seed has it; each folds in this thread (`runThreadsHere`), so that their order is the seed's too. */
export const possibleWorkers = async ({ foldWorkers }: Config): Promise<number> => foldWorkers;
