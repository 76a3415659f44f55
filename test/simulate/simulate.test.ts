import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

/** A process of its own: the simulation puts its edges in the place of the program's. */
async function simulate(...args: string[]): Promise<{ output: string; result: { violations: number } }> {
  const child = spawn(process.execPath, ["--no-warnings", MAIN, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  await once(child, "close");
  return { output, result: JSON.parse(output.trimEnd().split("\n").at(-1) ?? "null") };
}

test("nothing that may happen breaks a promise, in any history of the fixed seeds", async () => {
  const { output, result } = await simulate(
    "--seed",
    "1",
    "--seeds",
    "12",
    "--steps-a-seed",
    "300",
    "--no-shrink",
  );
  expect(result.violations, output).toBe(0);
}, 120_000);

test("the same seed goes the same way again", async () => {
  const { output, result } = await simulate(
    "--seed",
    "500",
    "--seeds",
    "2",
    "--steps-a-seed",
    "200",
    "--twice",
  );
  expect(result.violations, output).toBe(0);
}, 120_000);
