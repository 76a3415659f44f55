import { readFileSync } from "node:fs";

/** The example response of the endpoint's contract, as its documentation has it. */
export const seedResponse = (): unknown =>
  JSON.parse(readFileSync(new URL("../fixtures/seed-response.json", import.meta.url), "utf8"));
