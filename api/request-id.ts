/** Correlates a request with its log lines, here and in front of us; sent back with the answer. */
export const REQUEST_ID = "x-request-id";

const PLAIN = /^[\w.:-]{1,100}$/;

/** The client's own id of the request; one that can't go into a log as it is counts as none. */
export const requestIdOf = (given: string | string[] | undefined): string | undefined =>
  typeof given === "string" && PLAIN.test(given) ? given : undefined;
