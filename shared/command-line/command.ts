import type { Command } from "commander";
import { printable } from "./terminal.ts";

/** What every command's module exports: registers its options, arguments and subcommands, and what they do. */
export interface CommandModule {
  register(command: Command): void;
}

/** What a command has to say. */
export interface Outcome {
  /** What `--json` prints: all of it. */
  readonly json: unknown;
  /** What is printed otherwise, line by line. */
  readonly lines: readonly string[];
  /** What only somebody at a terminal needs; goes to stderr. */
  readonly note?: string;
  /** 4 where a check found differences or something wrong; absent = 0. */
  readonly exitCode?: 0 | 1 | 4;
}

/** What is asked for can't be meant so; the message says why. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Exit codes, the same of all commands. */
export const EXIT_CODES =
  "Exit codes: 0 done, 1 failed or not found, 2 wrong usage, 4 a check found something.";

/** What a command does. */
export interface Deed<Options, Arguments extends readonly unknown[]> {
  /** A call that works, without `npx lead-view`. */
  readonly example: string;
  /** More about it, below the options. */
  readonly help?: string;
  /** Undefined = it has said all itself, as one does that runs until it is stopped. */
  run(options: Options, ...args: Arguments): Promise<Outcome | undefined> | Outcome;
}

const withExample = new WeakSet<Command>();

/** Gives a command its deed, with `--json` and an example; a group of commands shows that of its first one. */
export function does<Options extends object, Arguments extends readonly unknown[] = []>(
  command: Command,
  { example, help, run }: Deed<Options, Arguments>,
): void {
  const exampleText = `\nExample:\n  npx lead-view ${example}\n\n${EXIT_CODES}`;
  const group = command.parent?.parent ? command.parent : undefined;
  if (group && !withExample.has(group)) {
    withExample.add(group);
    group.addHelpText("after", exampleText);
  }
  // Looked for once the rest is known to be right: a mistyped option is named, not the one that it was to be.
  const required = command.options.filter(({ mandatory }) => mandatory);
  for (const option of required) option.mandatory = false;
  command
    .option("--json", "print JSON")
    .addHelpText("after", `${help === undefined ? "" : `\n${help}\n`}${exampleText}`)
    .action(async (...given: unknown[]) => {
      // Commander hands over the arguments, then the options, then the command.
      const missing = required.find((option) => command.getOptionValue(option.attributeName()) === undefined);
      if (missing) command.error(`error: required option '${missing.flags}' not specified`);
      const options = given.at(-2) as Options & { readonly json?: true };
      const outcome = await run(options, ...(given.slice(0, -2) as unknown as Arguments));
      if (outcome === undefined) return;
      const text = options.json ? JSON.stringify(outcome.json, null, 2) : outcome.lines.join("\n");
      process.stdout.write(`${printable(text)}\n`);
      if (outcome.note !== undefined && !options.json) process.stderr.write(`${printable(outcome.note)}\n`);
      process.exitCode = outcome.exitCode ?? 0;
    });
}
