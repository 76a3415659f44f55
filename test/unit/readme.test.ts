// What the README says of settings and commands is so.
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { COMMANDS } from "../../shared/command-line/commands.ts";
import { SETTINGS } from "../../shared/config.ts";

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
const readme = read("README.md");

test("every setting is listed", () => {
  // Those of one kind are listed by their endings: `KAFKA_TOPIC_LEAD`, `_CHECKLIST`, …
  const isListed = (name: string) =>
    readme.includes(`\`${name}\``) ||
    [...name.matchAll(/_/g)].some(({ index }) => readme.includes(`\`${name.slice(index)}\``));
  expect(SETTINGS.filter((name) => !isListed(name))).toEqual([]);
});

test("every command and every link is there", () => {
  const { scripts } = JSON.parse(read("package.json"));
  const called = `${readme}${read("RUNBOOK.md")}`.matchAll(/npx lead-view ([a-z][a-z-]*)/g);
  const known = new Set(COMMANDS.map(({ name }) => name));
  expect([...called].map(([, name]) => name as string).filter((name) => !known.has(name))).toEqual([]);
  const commands = [...readme.matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, name]) => name as string);
  expect(commands.length).toBeGreaterThan(10);
  expect(commands.filter((name) => scripts[name] === undefined)).toEqual([]);
  const links = [...readme.matchAll(/\]\((?!http)([^)#]+)\)/g)].map(([, path]) => path as string);
  expect(links.filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url)))).toEqual([]);
});
