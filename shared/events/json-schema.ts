import * as Schema from "@effect/schema/Schema";
import { LeadView } from "../view/lead-view.ts";
import { eventSchemas } from "./catalogue.ts";
import { webhookSchemas } from "./webhook.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** The JSON Schema (draft 2020-12) of one Schema, self-contained; unknown extra fields are allowed. */
export function jsonSchemaOf(schema: Schema.Constraint, title: string): JsonSchema {
  const document = Schema.toJsonSchemaDocument(schema);
  const definitions = Object.keys(document.definitions).length > 0 ? { $defs: document.definitions } : {};
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title,
    ...document.schema,
    ...definitions,
  };
}

/** Every published JSON Schema by file name, below `shared/events/schemas/`. */
export function publishedSchemas(): ReadonlyMap<string, JsonSchema> {
  const files = new Map<string, JsonSchema>();
  for (const [type, schema] of Object.entries(eventSchemas)) {
    files.set(`${type}.schema.json`, jsonSchemaOf(schema, type));
  }
  for (const [type, schema] of Object.entries(webhookSchemas)) {
    files.set(`webhook.${type}.schema.json`, jsonSchemaOf(schema, `${type} (webhook body)`));
  }
  files.set("lead-view.schema.json", jsonSchemaOf(LeadView, "GET /api/v1/leads/:id"));
  return files;
}
