/** Correlates a request with its log lines, here and in front of us; sent back with the answer. */
export const REQUEST_ID = "x-request-id";
