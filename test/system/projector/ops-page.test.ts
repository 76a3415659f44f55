// The operator's page in a real browser, over a real projector.
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRequests } from "../../../projector/owner/requests.ts";
import { openControl } from "../../../shared/control.ts";
import { openEventLog } from "../../harness/event-log.ts";
import { startProgram } from "../../harness/process.ts";
import { until } from "../../harness/wait.ts";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LEAD = "lead-1";
/** Dead letters behind the first one, so that there are three pages. */
const BROKEN = 44;
/** Turns what follows it around, where it is shown as it is. */
const TURNED = "\u202egnA\u0007";

describe.skipIf(!existsSync(CHROMIUM))("the operator's page", () => {
  const folder = mkdtempSync(join(tmpdir(), "ops-page-"));
  const log = openEventLog(folder);
  const complaints: string[] = [];
  let projector: ReturnType<typeof startProgram>;
  let browser: Browser;
  let page: Page;
  let address: string;

  beforeAll(async () => {
    log.say({ event: "lead.created", data: { firstName: "<b>Ann</b>", lastName: TURNED } });
    log.say({ event: "lead.updated", data: { businessName: "Acme" } });
    log.say({
      event: "document.updated",
      topic: "omni.document",
      data: { id: "doc-1", fileName: "late.pdf" },
    });
    const long = `partner/${"very-long-".repeat(15)}`;
    const lines = Array.from(
      { length: BROKEN },
      (_, n) => `${JSON.stringify({ key: `${long}${n}`, value: `no event <i>${TURNED}` })}\n`,
    );
    appendFileSync(join(folder, "omni.document", "0.ndjson"), lines.join(""));
    projector = startProgram("projector/main.ts", { EVENT_LOG_DIR: folder, DATABASE_DIR: folder });
    address = await projector.opsAddress();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    page = await browser.newPage({ viewport: { width: 1_280, height: 1_000 } });
    page.setDefaultTimeout(10_000);
    page.on("console", (message) => {
      // Answers of 401 and 404 are asked for here.
      if (message.type() === "error" && !message.text().startsWith("Failed to load"))
        complaints.push(message.text());
    });
    page.on("pageerror", ({ message }) => complaints.push(message));
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await projector?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const cell = (table: string, row: number, column: number) =>
    page.locator(`#${table} tbody tr`).nth(row).locator("td").nth(column);
  const text = async (id: string) => (await page.locator(`#${id}`).textContent()) ?? "";
  const yes = () => page.locator("#ask-yes").click();
  const requestsBegun = () => projector.lines().filter(({ msg }) => msg === "request begun");

  /** What axe finds on the page as it is. */
  const faults = () =>
    page.evaluate(`${AXE};axe.run({ resultTypes: ["violations"] }).then(({ violations }) =>
      violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).slice(0, 3).join(" ")))`);

  test("shows nothing without its key, and everything with it", async () => {
    await page.goto(`${address}/ops`);
    await page.getByLabel("The page's key").fill("not the key, but as long");
    await page.getByLabel("Your name").fill("Ann Operator");
    await page.getByRole("button", { name: "Open" }).click();
    await page.getByText("Send the page's key").waitFor();
    expect(await page.locator("#main").isVisible()).toBe(false);
    expect(await faults()).toEqual([]);
    await page.getByLabel("The page's key").fill(readFileSync(join(folder, "ops-key"), "utf8").trim());
    await page.keyboard.press("Enter");
    await page.locator("#main").waitFor();
    await until(
      "the positions",
      async () => (await text("lag")) === "0" && (await text("letters")) === `${BROKEN + 1}`,
    );
    expect(await text("generation")).toBe("1");
    expect(await page.locator("#partitions tbody tr").count()).toBe(2);
    expect(await text("health")).toBe("The projector is running.");
    expect(await text("about")).toMatch(
      /version\d+\.\d+\.\d+rules of the views\d+up for.*owner, process \d+/,
    );
    expect(await cell("event-types", 0, 0).textContent()).toBe("lead.created");
  });

  test("a key behind # is read and taken out of the address", async () => {
    const key = readFileSync(join(folder, "ops-key"), "utf8").trim();
    const other = await browser.newPage();
    await other.goto(`${address}/ops/#key=${key}`);
    await other.locator("#main").waitFor();
    expect(other.url()).not.toContain(key);
    await other.close();
  });

  test("nothing but its own files may run in it, and texts of records stay texts", async () => {
    const { headers } = await fetch(`${address}/ops/`);
    const policy = headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain("unsafe");
    expect((await fetch(`${address}/ops/favicon.svg`)).headers.get("content-type")).toContain(
      "image/svg+xml",
    );
    await page.getByLabel("Lead id").fill(LEAD);
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.locator("#found").waitFor();
    const view = await text("view");
    expect(JSON.parse(view).lead).toMatchObject({ firstName: "<b>Ann</b>", lastName: TURNED });
    expect(view).toContain("\\u202egnA\\u0007");
    expect(await page.locator("body").textContent()).not.toContain("\u202e");
    await page.getByRole("button", { name: "Show dead letter omni.document/0/1", exact: true }).click();
    await until("the record", async () => (await text("letter-value")).includes("no event <i>\\u202egnA"));
    expect(await text("letter-facts")).toContain("very-long-");
    expect(await faults()).toEqual([]);
    await page.keyboard.press("Escape");
  });

  test("a lead's view stands beside the records that made it, each with what it changed and how long it took", async () => {
    const steps = page.locator("#steps > li");
    const [created, updated, refused] = await steps.locator("summary").allTextContents();
    expect(await steps.count()).toBe(3);
    expect(created).toMatch(
      /lead\.created omni\.lead\/0\/0\d+ changes; folded in [\d.]+ (µs|ms), assembled in [\d.]+ (µs|ms)/,
    );
    expect(updated).toMatch(/lead\.updated omni\.lead\/0\/1/);
    expect(refused).toMatch(/document\.updated.*dead letter: unknown_eventchanges nothing/);
    await steps.nth(1).locator("summary").focus();
    await page.keyboard.press("Enter");
    const change = steps.nth(1).locator(".change").filter({ hasText: "lead.businessName" });
    expect(await change.textContent()).toBe('lead.businessName changed− null+ "Acme"');
    expect(await steps.nth(1).locator("pre").textContent()).toContain('"event": "lead.updated"');
    expect(await faults()).toEqual([]);
    await page.getByLabel("Lead id").fill("nobody");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await until("no records", async () => (await text("lookup-state")).includes("no record of lead nobody"));
  });

  test("every dead letter is on one of the pages", async () => {
    const pages = page.locator("#letters-pages");
    const seen = new Set<string>();
    const first = async () => (await cell("dead-letters", 0, 0).textContent()) ?? "";
    for (;;) {
      for (const name of await page.locator("#dead-letters tbody td:first-child").allTextContents())
        seen.add(name);
      const next = pages.getByRole("button", { name: "Next" });
      if (await next.isDisabled()) break;
      const before = await first();
      await next.focus();
      await page.keyboard.press("Enter");
      await until("the next page", async () => (await first()) !== before);
    }
    expect(seen.size).toBe(BROKEN + 1);
    expect(await pages.textContent()).toContain(`41 to ${BROKEN + 1} of ${BROKEN + 1}`);
    await pages.getByRole("button", { name: "First" }).click();
    await until("the first page", async () => (await first()) === "omni.document/0/0");
  });

  test.each([
    [1_280, "light"],
    [1_280, "dark"],
    [400, "light"],
    [400, "dark"],
  ] as const)("fits %i pixels, and axe finds nothing (%s)", async (width, colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 1_000 });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    expect(await faults()).toEqual([]);
    await page.setViewportSize({ width: 1_280, height: 1_000 });
  });

  test("numbers stand below their headers", async () => {
    const sides = await page.evaluate(`[...document.querySelectorAll("th.number, td.number")].map((cell) =>
      getComputedStyle(cell).textAlign)`);
    expect(new Set(sides as string[])).toEqual(new Set(["right"]));
    const columns =
      await page.evaluate(`[...document.querySelectorAll("table")].filter(({ tHead }) => tHead).flatMap((table) =>
      [...table.tHead.rows[0].cells].map((head, at) => [...table.tBodies[0].rows].every((row) =>
        row.cells.length === 1 || row.cells[at].className === head.className)))`);
    expect(columns).not.toContain(false);
  });

  test("what the doctor finds is shown, with what to do", async () => {
    await until("the findings", async () =>
      /\d+ failing, \d+ worth a look, \d+ fine/.test(await text("findings-state")),
    );
    const found = await page.locator("#findings tbody tr").allTextContents();
    expect(found.some((row) => /dead letters.*worth a look/.test(row))).toBe(true);
    expect(found.length).toBeGreaterThan(5);
    await page.getByRole("button", { name: "Look again" }).click();
    await until("them again", async () => (await text("findings-state")).includes("worth a look"));
  });

  test("an action asks first, and says what came of it", async () => {
    const retry = page.getByRole("button", { name: "Retry dead letter omni.document/0/0" });
    await retry.click();
    await page.keyboard.press("Escape");
    expect(await text("letters-state")).toBe("");
    expect(requestsBegun()).toEqual([]);
    await retry.click();
    expect(await faults()).toEqual([]);
    await yes();
    await until("the answer", async () =>
      /^Retry dead letter omni\.document\/0\/0: it still is no event \(unknown_event/.test(
        await text("letters-state"),
      ),
    );
    await page.getByRole("button", { name: "Discard dead letter omni.document/0/3", exact: true }).click();
    await yes();
    await until("one less", async () => (await text("letters")) === `${BROKEN}`);
    expect(requestsBegun()).toMatchObject([
      {
        kind: "retry",
        about: "letter omni.document/0/0",
        askedBy: "the operator's page (Ann Operator, 127.0.0.1)",
      },
      {
        kind: "discard",
        about: "letter omni.document/0/3",
        askedBy: "the operator's page (Ann Operator, 127.0.0.1)",
      },
    ]);
  });

  test("a rebuild is asked for, shown, and makes the generation that serves; the one before is removed", async () => {
    await page.getByRole("button", { name: "Rebuild…" }).click();
    await page.getByLabel("switch also where records can't be folded").check();
    await yes();
    await until("the new generation", async () => (await text("generation")) === "2");
    await until("both", async () => (await page.locator("#generations tbody tr").count()) === 2);
    expect(await cell("generations", 1, 1).textContent()).toBe("serves");
    expect(await cell("generations", 1, 3).textContent()).toMatch(/^\d+ kB$/);
    await page.getByRole("button", { name: "Remove generation 1" }).click();
    await yes();
    await until("one", async () => (await page.locator("#generations tbody tr").count()) === 1);
    await until("all four", async () => (await page.locator("#requests tbody tr").count()) === 4);
  });

  test("a running rebuild is shown, and can be asked to stop", async () => {
    const control = openControl(folder);
    const requests = createRequests(control);
    // As the owner has it while a build is under way; at once, so that the owner does not find it waiting.
    const id = control.transaction(() => {
      const added = requests.add("rebuild", {}, "a test");
      control.prepare("UPDATE request SET state = 'running' WHERE id = ?").run(added);
      return added;
    })();
    requests.progress(id, { phase: "fold", done: 250_000, total: 1_000_000 });
    await page.locator("#running").waitFor();
    await until("the progress", async () =>
      /^fold: 250,000 of 1,000,000 \(25\.0 %\)/.test(await text("running-text")),
    );
    await page.locator("#running-stop").click();
    await yes();
    await until("the wish", () => requests.get(id)?.cancel === 1);
    requests.failed(id, "stopped");
    control.close();
    await page.locator("#running").waitFor({ state: "hidden" });
  });

  test("a projector that stopped is shown as such", async () => {
    expect(complaints).toEqual([]);
    mkdirSync(".test-output", { recursive: true });
    await page.screenshot({ path: ".test-output/ops-page.png", fullPage: true });
    await projector.stop();
    await page.getByText("The projector does not answer.").waitFor();
  });
});
