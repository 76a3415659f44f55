import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";

export interface Received {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface ReceiverAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A receiver of webhooks, which answers as it is told to: a status, or "hang" for no answer at all. */
export async function startReceiver(
  answer: (received: Received) => number | ReceiverAnswer | "hang" = () => 200,
) {
  const received: Received[] = [];
  let answers = answer;
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const one = { headers: request.headers, body, at: Date.now() };
    received.push(one);
    const said = answers(one);
    if (said === "hang") return;
    const { status, headers = {} } = typeof said === "number" ? { status: said } : said;
    response.writeHead(status, headers).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    received,
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/hook`,
    /** From now on it answers so. */
    answer(next: typeof answer): void {
      answers = next;
    },
    close(): void {
      server.close();
      server.closeAllConnections();
    },
  };
}
