// The operator's page in a real browser, over a real projector.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRequests } from "../../../projector/owner/requests.ts";
import { openControl } from "../../../shared/control.ts";
import { openEventLog } from "../../harness/event-log.ts";
import { startProgram } from "../../harness/process.ts";
import { until } from "../../harness/wait.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const LEAD = "lead-1";
describe.skipIf(!existsSync(CHROMIUM))("the operator's page", () => {
  const folder = mkdtempSync(join(tmpdir(), "ops-page-"));
  const log = openEventLog(folder);
  let projector: ReturnType<typeof startProgram>;
  let browser: Browser;
  let page: Page;
  let address: string;

  beforeAll(async () => {
    log.say({ event: "lead.created", data: { firstName: "<b>Ann</b>" } });
    log.say({
      event: "document.updated",
      topic: "omni.document",
      data: { id: "doc-1", fileName: "late.pdf" },
    });
    projector = startProgram("projector/main.ts", { EVENT_LOG_DIR: folder, DATABASE_DIR: folder });
    address = await projector.opsAddress();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    page = await browser.newPage({ viewport: { width: 1_280, height: 1_000 } });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await projector?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const cell = (table: string, row: number, column: number) =>
    page.locator(`#${table} tbody tr`).nth(row).locator("td").nth(column);
  const text = (id: string) => page.locator(`#${id}`).innerText();

  test("shows nothing without its key, and everything with it", async () => {
    await page.goto(`${address}/ops`);
    await page.getByLabel("The page's key").fill("not the key, but as long");
    await page.getByRole("button", { name: "Open" }).click();
    await page.getByText("Send the page's key").waitFor();
    expect(await page.locator("#main").isVisible()).toBe(false);
    const key = readFileSync(join(folder, "ops-key"), "utf8").trim();
    await page.goto("about:blank");
    await page.goto(`${address}/ops/#key=${key}`);
    await page.locator("#main").waitFor();
    expect(page.url()).not.toContain(key);
    await until("the positions", async () => (await text("lag")) === "0" && (await text("letters")) === "1");
    expect(await text("generation")).toBe("1");
    expect(await page.locator("#partitions tbody tr").count()).toBe(2);
    expect(await text("health")).toBe("The projector is running.");
  });

  test("a lead's view stands beside the records that made it", async () => {
    await page.getByLabel("Lead id").fill(LEAD);
    await page.getByRole("button", { name: "Show" }).click();
    await page.locator("#found").waitFor();
    expect(JSON.parse(await text("view")).lead.firstName).toBe("<b>Ann</b>");
    const records = await page.locator("#events summary").allInnerTexts();
    expect(records).toHaveLength(2);
    expect(records.join("\n")).toMatch(/lead\.created omni\.lead\/0\/0/);
    expect(records.join("\n")).toMatch(/document\.updated.*dead letter: unknown_event/);
    mkdirSync(".test-output", { recursive: true });
    await page.screenshot({ path: ".test-output/ops-lookup.png", fullPage: true });
    await page.getByLabel("Lead id").fill("nobody");
    await page.getByRole("button", { name: "Show" }).click();
    await until("no records", async () => (await text("lookup-state")).includes("no record of lead nobody"));
  });

  test("a retry says what came of it", async () => {
    await page.getByRole("button", { name: "Retry dead letter omni.document/0/0" }).click();
    await until("the answer", async () =>
      /^Dead letter omni\.document\/0\/0: it still is no event \(unknown_event/.test(
        await text("retry-state"),
      ),
    );
  });

  test("a new generation and a running rebuild are shown", async () => {
    const control = openControl(folder);
    const requests = createRequests(control);
    // As the owner has it while a build is under way; at once, so that the owner does not find it waiting.
    const id = control.transaction(() => {
      const added = requests.add("rebuild", {}, "a test");
      requests.begin(added);
      return added;
    })();
    requests.progress(id, { phase: "fold", done: 250_000, total: 1_000_000 });
    await page.locator("#rebuild").waitFor();
    await until("the progress", async () =>
      /^fold: 250,000 of 1,000,000 \(25\.0 %\)/.test(await text("rebuild-text")),
    );
    requests.done(id, null);
    control.close();
    await page.locator("#rebuild").waitFor({ state: "hidden" });
    expect(await cell("generations", 0, 1).innerText()).toBe("serves");
  });

  test("a projector that stopped is shown as such", async () => {
    await projector.stop();
    await page.getByText("The projector does not answer.").waitFor();
  });
});
