import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { does } from "../command-line/command.ts";

const FOLDER = new URL("schemas/", import.meta.url);

export function register(command: Command): void {
  does(command, {
    example: "schemas",
    help: "For whoever changes an event: the files are part of the project (shared/events/schemas/).",
    async run() {
      const { publishedSchemas } = await import("./json-schema.ts");
      const schemas = publishedSchemas();
      rmSync(FOLDER, { recursive: true, force: true });
      mkdirSync(FOLDER, { recursive: true });
      for (const [file, schema] of schemas)
        writeFileSync(new URL(file, FOLDER), `${JSON.stringify(schema, null, 2)}\n`);
      const folder = fileURLToPath(FOLDER);
      return {
        json: { folder, files: [...schemas.keys()] },
        lines: [`${schemas.size} schemas written to ${folder}`],
      };
    },
  });
}
