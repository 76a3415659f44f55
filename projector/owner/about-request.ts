/** What requests name that is nobody's data: positions, generations, ids. A receiver's address may hold a token. */
const NAMED = [
  "letter",
  "generation",
  "relay",
  "name",
  "id",
  "lead",
  "workspace",
  "workspaceId",
  "from",
] as const;

/**
 * What a request is about, for the log and the page.
 * @param given its arguments as JSON
 */
export function aboutRequest(given: string): string {
  const args = JSON.parse(given) as Readonly<Record<string, unknown>>;
  return NAMED.flatMap((name) => (args[name] === undefined ? [] : [`${name} ${args[name]}`])).join(", ");
}
