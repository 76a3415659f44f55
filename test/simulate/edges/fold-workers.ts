/** One: what is simulated has no order of its own between threads. */
export const possibleWorkers = async (): Promise<number> => 1;
