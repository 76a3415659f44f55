import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { after, randomId } from "../clock.ts";
import { plainId } from "../log.ts";
import { PROBLEM_TYPE, problem } from "./problem.ts";

// Requests that reach no route, since Node or the router refuses them.

/** Told of each answer to such a request. */
export type Unrouted = (status: number) => void;

const headersOf = (requestId: string, body: string): Record<string, string> => ({
  "x-request-id": requestId,
  "x-content-type-options": "nosniff",
  "content-type": PROBLEM_TYPE,
  "content-length": String(Buffer.byteLength(body)),
  connection: "close",
});

/** Answers a request that was read, but can't be routed. */
export function writeProblem(
  request: IncomingMessage,
  response: ServerResponse,
  unrouted: Unrouted,
  status: number,
  detail: string,
): void {
  const body = JSON.stringify(problem(status, detail));
  unrouted(status);
  response.writeHead(status, headersOf(plainId(request.headers["x-request-id"]) ?? randomId(), body));
  response.end(body);
}

const BROKEN: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "The request's address and headers take more than 16 KiB."],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "The request's chunk extensions are too large."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request was not sent within the time that one may take."],
};

/** Makes the handler of what is no HTTP request, or was not sent in time: the answer goes straight to the socket. */
export function answerBrokenRequests(unrouted: Unrouted) {
  return (error: Error & { readonly code?: string }, socket: Socket): void => {
    // With an answer under way, one more would end up in the middle of it.
    const { _httpMessage: current } = socket as { readonly _httpMessage?: ServerResponse | null };
    if (error.code === "ECONNRESET" || !socket.writable || current?.headersSent) {
      socket.destroy();
      return;
    }
    const [status, detail] = BROKEN[error.code ?? ""] ?? [400, "The request is not valid HTTP."];
    const body = JSON.stringify(problem(status, detail));
    const headers = Object.entries(headersOf(randomId(), body)).map(([name, value]) => `${name}: ${value}`);
    unrouted(status);
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers.join("\r\n")}\r\n\r\n${body}`);
    // Who does not read is not waited for.
    after(1_000, () => socket.destroy()).unref();
  };
}
