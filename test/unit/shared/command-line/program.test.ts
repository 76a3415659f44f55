// Every command's help, and what it refuses.
import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { COMMANDS } from "../../../../shared/command-line/commands.ts";
import { program } from "../../../../shared/command-line/program.ts";

/** What a call that does nothing prints, and how it ends. */
async function called(...args: string[]) {
  const said = { out: "", err: "" };
  const output = {
    writeOut(text: string) {
      said.out += text;
    },
    writeErr(text: string) {
      said.err += text;
    },
  };
  const ended = await (await program(args[0], output))
    .parseAsync(args, { from: "user" })
    .catch((error) => error);
  return { ...said, code: ended instanceof CommanderError ? ended.code : String(ended) };
}

/** The names of a command's own commands, as its help lists them. */
const subcommands = (help: string): string[] =>
  [...(/\nCommands:\n([\s\S]*?)\n\n/.exec(help)?.[1] ?? "").matchAll(/^ {2}([a-z-]+) /gm)].map(
    ([, name]) => name as string,
  );

test.each(COMMANDS.map(({ name }) => name))(
  "%s tells what it takes, with an example, and refuses what it does not know",
  async (name) => {
    const help = await called(name, "--help");
    expect(help).toMatchObject({ err: "", code: "commander.helpDisplayed" });
    const parts = subcommands(help.out).map((one) => [name, one]);
    for (const deed of parts.length === 0 ? [[name]] : parts) {
      const { out } = await called(...deed, "--help");
      expect(out).toMatch(new RegExp(`\\nExample:\\n {2}npx lead-view ${deed.join(" ")}`));
      expect(out).toContain("--json");
      const unknown = await called(...deed, "--no-such-option");
      expect(unknown).toMatchObject({ out: "", code: "commander.unknownOption" });
      expect(unknown.err).toMatch(/^lead-view: unknown option '--no-such-option'/);
    }
    if (parts.length > 0) {
      expect(help.out).toContain("\nExample:\n");
      expect((await called(name, "explode")).code).toBe("commander.unknownCommand");
      expect((await called(name)).code).toBe("commander.help");
    }
  },
);
