let workers = 1;

/** With how many workers views are folded anew from now on. */
export function foldWith(count: number): void {
  workers = count;
}

/** As many as the seed has it; each folds in this thread (`runThreadsHere`), so that their order is the seed's too. */
export const possibleWorkers = async (): Promise<number> => workers;
