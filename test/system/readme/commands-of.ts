/** A command that a text tells to run. */
export interface ToldCommand {
  readonly text: string;
  /** True where it runs until it is stopped, in a terminal of its own. */
  readonly stays: boolean;
}

/** The commands of a text's fenced blocks of `sh`, line by line; those for Docker are left out. */
export function commandsOf(markdown: string): ToldCommand[] {
  return [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .flatMap(([, block = ""]) => block.split("\n"))
    .map((line) => line.replace(/ {2,}#.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#") && !/\bdocker\b/.test(line))
    .map((text) => ({ text, stays: /npm start$|npm run kafka$/.test(text) }));
}
