import { Ajv2020 } from "ajv/dist/2020.js";
import { openApiDocument } from "../../api/openapi.ts";

/** An answer as far as the API's document speaks of it. */
export interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

// biome-ignore lint/suspicious/noExplicitAny: the document is JSON.
const document = openApiDocument() as any;
const ajv = new Ajv2020({ strict: false });
ajv.addSchema(document, "openapi");
const validators = new Map<string, ReturnType<typeof ajv.compile>>();

/** Holds an answer to what the API's document says of its path and status; undefined where it keeps to it. */
export function contractBreach(path: string, { statusCode, headers, body }: Answer): string | undefined {
  const described = document.paths[path].get.responses[statusCode];
  if (described === undefined) return `${path}: no status ${statusCode} in the document`;
  if (described.content === undefined) return body === "" ? undefined : `${path} ${statusCode}: a body`;
  const type = String(headers["content-type"] ?? "").split(";")[0] as string;
  const schema = described.content[type]?.schema;
  if (schema === undefined) return `${path} ${statusCode}: no ${type} in the document`;
  if (type === "text/event-stream" || type === "text/plain") return undefined;
  const name = `${path} ${statusCode} ${type}`;
  const known =
    validators.get(name) ?? ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/')));
  validators.set(name, known);
  return known(JSON.parse(body)) ? undefined : `${name}: ${ajv.errorsText(known.errors)}`;
}
