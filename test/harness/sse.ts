import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";

export interface StreamEvent {
  readonly id: number;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: each kind of event has data of its own.
  readonly data: any;
}

/** Reads a stream of Server-Sent Events, gathering them until it is closed. */
export async function openStream(url: string, headers: Record<string, string>) {
  const request = get(url, { headers, agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const events: StreamEvent[] = [];
  let text = "";
  response.setEncoding("utf8");
  response.on("data", (chunk) => {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = Object.fromEntries(
        text
          .slice(0, end)
          .split("\n")
          .map((line) => line.split(/: (.*)/s).slice(0, 2)),
      );
      text = text.slice(end + 2);
      if (fields.data !== undefined)
        events.push({ id: Number(fields.id), event: fields.event, data: JSON.parse(fields.data) });
    }
  });
  response.on("error", () => undefined);
  request.on("error", () => undefined);
  return {
    response,
    events,
    changes: () => events.filter(({ event }) => event.startsWith("lead_view.")),
    kill: () => response.destroy(),
  };
}
