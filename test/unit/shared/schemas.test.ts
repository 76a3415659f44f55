import { readdirSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { publishedSchemas } from "../../../shared/events/json-schema.ts";
import { seedResponse } from "../../harness/seed-response.ts";

const folder = new URL("../../../shared/events/schemas/", import.meta.url);

test("the published JSON Schemas are current (npm run schemas writes them)", () => {
  const published = new Map(
    [...publishedSchemas()].map(([file, schema]) => [file, `${JSON.stringify(schema, null, 2)}\n`]),
  );
  expect(readdirSync(folder).sort()).toEqual([...published.keys()].sort());
  for (const [file, text] of published) expect(readFileSync(new URL(file, folder), "utf8")).toBe(text);
});

test("the published schema of the view accepts the seed's example", () => {
  const schema = publishedSchemas().get("lead-view.schema.json") as object;
  expect(new Ajv2020({ strict: false }).validate(schema, seedResponse())).toBe(true);
});
