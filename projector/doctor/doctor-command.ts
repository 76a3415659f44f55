import type { Command } from "commander";
import { does } from "../../shared/command-line/command.ts";
import { commandSettings } from "../../shared/command-line/settings.ts";
import { printableLine } from "../../shared/command-line/terminal.ts";

const SIGNS = { ok: "ok  ", warn: "WARN", fail: "FAIL" } as const;

export function register(command: Command): void {
  does(command, {
    example: "doctor",
    help: "Changes nothing, and may run beside the projector. Exit code 4 where something fails; the operator's page shows the same.",
    async run() {
      const config = await commandSettings();
      const [{ examine }, { createLog }] = await Promise.all([
        import("./examine.ts"),
        import("../../shared/log.ts"),
      ]);
      const findings = await examine(config, createLog("projector", "silent"));
      const failing = findings.filter(({ state }) => state === "fail").length;
      const warnings = findings.filter(({ state }) => state === "warn").length;
      const width = Math.max(...findings.map(({ check }) => check.length));
      return {
        json: { findings, failing, warnings },
        lines: [
          ...findings.flatMap(({ check, state, says, todo }) => [
            printableLine(`${SIGNS[state]}  ${check.padEnd(width)}  ${says}`),
            ...(todo === null ? [] : [printableLine(`${" ".repeat(6 + width)}  → ${todo}`)]),
          ]),
          "",
          `${failing} failing, ${warnings} worth a look`,
        ],
        exitCode: failing > 0 ? 4 : 0,
      };
    },
  });
}
