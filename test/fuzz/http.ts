import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { openApiDocument } from "../../api/openapi.ts";
import { createRandom, type Random } from "../generate/random.ts";
import { contractBreach } from "../harness/contract.ts";
import { mutateBytes, nastyText, randomBytes } from "./mutate.ts";

export interface HttpFindings {
  readonly requests: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Raw connections that sent what is hardly HTTP. */
  readonly connections: number;
  /** Server errors, answers that the document does not have, and silence. */
  readonly breaches: readonly string[];
}

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}
interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: Schema;
}
interface Operation {
  readonly path: string;
  readonly parameters: readonly Parameter[];
}

interface Target {
  readonly port: number;
  /** Of the workspace whose leads there are. */
  readonly key: string;
  readonly leadIds: readonly string[];
}

const LONGEST_MS = 10_000;
const document = openApiDocument() as {
  readonly paths: Readonly<Record<string, { readonly get: { readonly parameters?: readonly Parameter[] } }>>;
};
const OPERATIONS: readonly Operation[] = Object.entries(document.paths).map(([path, { get }]) => ({
  path,
  parameters: get.parameters ?? [],
}));

/** Asks every operation of the API's own document with values that its schemas allow, and with such as they don't. */
export async function fuzzHttp(target: Target, requests: number, seed: number): Promise<HttpFindings> {
  const random = createRandom(seed);
  const statuses: Record<string, number> = {};
  const breaches: string[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  let left = requests;
  const askOn = async () => {
    for (; left > 0; left--) {
      const asked = compose(random, random.pick(OPERATIONS), target);
      const answer = await ask(target.port, agent, asked).catch((error) => String(error));
      if (typeof answer === "string") {
        breaches.push(`${answer}: ${asked.url}`);
        continue;
      }
      statuses[answer.statusCode] = (statuses[answer.statusCode] ?? 0) + 1;
      const breach = breachOf(asked, answer);
      if (breach !== undefined) breaches.push(`${breach}: ${asked.method} ${asked.url}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, askOn));
  agent.destroy();
  const connections = Math.ceil(requests / 20);
  for (let sent = 0; sent < connections; sent++) await sendNoise(target, random);
  const path = "/health/ready";
  const look = { path, method: "GET", url: path, headers: {}, localAddress: "127.0.0.1" };
  const health = await ask(target.port, new Agent(), look);
  if (health.statusCode !== 200) breaches.push("not ready after the noise");
  return { requests, statuses, connections, breaches };
}

interface Asked {
  readonly path: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Many, since one that sends wrong keys is soon told to wait. */
  readonly localAddress: string;
}

function compose(random: Random, { path, parameters }: Operation, { key, leadIds }: Target): Asked {
  const headers: Record<string, string> = {};
  if (random.chance(0.95)) headers["x-api-key"] = random.chance(0.97) ? key : headerText(random);
  const query = new URLSearchParams();
  let url = path;
  for (const parameter of parameters) {
    const value =
      random.chance(0.3) && parameter.in === "path" ? random.pick(leadIds) : valueFor(random, parameter);
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, pathText(random, value));
    else if (random.chance(0.4)) continue;
    else if (parameter.in === "query") {
      query.append(parameter.name, value);
      if (random.chance(0.03)) query.append(parameter.name, value);
    } else headers[parameter.name.toLowerCase()] = headerOf(value);
  }
  if (random.chance(0.05)) query.append(nastyText(random), "1");
  if (query.size > 0) url += `?${query}`;
  const method = random.chance(0.95)
    ? "GET"
    : random.pick(["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]);
  return { path, method, url, headers, localAddress: `127.0.0.${random.integer(1, 254)}` };
}

/** What the schema allows in two of three cases; else what it does not, or hardly. */
function valueFor(random: Random, { schema }: Parameter): string {
  if (random.chance(0.33)) return nastyText(random);
  if (schema.enum) return String(random.pick(schema.enum));
  if (schema.pattern?.includes("\\d{")) return String(random.integer(0, 100));
  if (schema.type === "integer") return String(random.integer(0, 120));
  if (random.chance(0.3)) return `omni.lead/0/${random.integer(0, 50)}`;
  const length = random.integer(schema.minLength ?? 0, Math.min(schema.maxLength ?? 300, 300));
  return Array.from({ length }, () => String.fromCodePoint(random.integer(32, 0xd7ff))).join("");
}

const pathText = (random: Random, value: string): string =>
  random.chance(0.05) ? "%E0%A4%A" : encodeURIComponent(value.toWellFormed());

/** Node's client sends no control characters; those go by `sendNoise`. */
const headerOf = (value: string): string => value.replace(/[^\t\x20-\x7e\x80-\xff]/g, "?").slice(0, 4_000);

const headerText = (random: Random): string => headerOf(randomBytes(random).toString("latin1"));

interface Answer {
  readonly statusCode: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function ask(port: number, agent: Agent, asked: Asked): Promise<Answer> {
  const { localAddress, method, url, headers } = asked;
  const sent = request({
    port,
    host: "127.0.0.1",
    agent,
    localAddress,
    method,
    path: url,
    headers,
    timeout: LONGEST_MS,
  });
  sent.on("timeout", () => sent.destroy(new Error("no answer in time")));
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const { statusCode = 0, headers: answered } = response;
  if (String(answered["content-type"]).startsWith("text/event-stream")) {
    response.destroy();
    return { statusCode, headers: answered, body: "" };
  }
  response.setEncoding("utf8");
  let body = "";
  for await (const chunk of response) body += chunk;
  return { statusCode, headers: answered, body };
}

function breachOf({ path, method }: Asked, answer: Answer): string | undefined {
  const { statusCode, body } = answer;
  if (statusCode === 500) return "500";
  for (const name of ["x-request-id", "x-content-type-options"])
    if (answer.headers[name] === undefined) return `no ${name}`;
  if (method === "HEAD" && body !== "") return "a body to HEAD";
  if (method !== "GET") return statusCode < 500 || statusCode === 504 ? undefined : `status ${statusCode}`;
  return contractBreach(path, { ...answer, body });
}

/** Sends a request that is broken somewhere, or no request at all, and hangs up. */
async function sendNoise({ port, key, leadIds }: Target, random: Random): Promise<void> {
  const whole = `GET /api/v1/leads/${random.pick(leadIds)} HTTP/1.1\r\nhost: x\r\nx-api-key: ${key}\r\nconnection: close\r\n\r\n`;
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  socket.end(random.chance(0.2) ? randomBytes(random, 2_000) : mutateBytes(Buffer.from(whole), random));
  socket.resume();
  await once(socket, "close");
}
