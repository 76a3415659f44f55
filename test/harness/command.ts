import { fileURLToPath } from "node:url";

/** The program of all commands: the arguments begin with a command's name. */
export const LEAD_VIEW = fileURLToPath(new URL("../../shared/command-line/lead-view.js", import.meta.url));
