// `npm run schemas`: writes the JSON Schema of every event, and of the view, from their Schemas.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { publishedSchemas } from "./json-schema.ts";

const folder = new URL("schemas/", import.meta.url);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [file, schema] of publishedSchemas()) {
  writeFileSync(new URL(file, folder), `${JSON.stringify(schema, null, 2)}\n`);
}
