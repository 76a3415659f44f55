// `npm run screenshots`: the README's pictures of the operator's page, from a running projector on a generated history.
import { setTimeout as sleep } from "node:timers/promises";
import { chromium, type Page } from "playwright-core";
import { openOperatedFolder } from "./operated-folder.ts";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const WIDE = { width: 1_200, height: 1_050 };
const PHONE = { width: 400, height: 800 };

const operated = await openOperatedFolder({ leads: 300, deadLetters: 57, endpoints: 9 });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
try {
  await liveALittle();
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await browser.newPage({ viewport: WIDE, colorScheme });
    await open(page);
    await page.screenshot({ path: pictureOf(colorScheme) });
    await page.setViewportSize(PHONE);
    // The charts take their new size first.
    await sleep(500);
    await page.evaluate('document.getElementById("letters-section").scrollIntoView()');
    await page.screenshot({ path: pictureOf(`phone-${colorScheme}`) });
    await page.close();
  }
} finally {
  await browser.close();
  await operated.close();
}

/** Events come in waves, so that the charts have something to show. */
async function liveALittle(): Promise<void> {
  for (let tick = 0; tick < 40; tick++) {
    for (let n = 0; n < 40 + 30 * Math.sin(tick / 4); n++) {
      const data = { activitySummary: `Called ${tick} times` };
      const id = `live-${tick}-${n}`;
      const value = {
        id,
        event: "lead.updated",
        occurredAt: new Date().toISOString(),
        workspaceId: "ws-1",
        leadId: id,
        data,
      };
      operated.say("omni.lead", n % 4, id, JSON.stringify(value));
    }
    await sleep(500);
  }
}

function pictureOf(name: string): string {
  const path = `projector/ops/pictures/${name}.png`;
  console.log(path);
  return path;
}

/** A lead is looked up, and one of its steps is open. */
async function open(page: Page): Promise<void> {
  await page.goto(`${operated.address}/ops/#key=${operated.key}`);
  await page.locator("#dead-letters tbody tr").nth(1).waitFor();
  await page.getByLabel("Lead id").fill(operated.leadId);
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.locator("#found").waitFor();
  await page.locator("#steps > li:nth-child(5) summary").click();
  // Away from the button, and up to where all is to be seen.
  await page.locator("h1").click();
  await page.evaluate("scrollTo(0, 0)");
}
