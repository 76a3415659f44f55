import type { FloorParts } from "../../../projector/publish/floor.ts";

/** No replica follows what is simulated: nobody is told how far it is. */
export const publishFloor = ({ signal }: FloorParts): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
