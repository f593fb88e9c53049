// The two pictures of `docs/`, taken from a demo that has run for a while.

import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';
import { startDemo } from './demo.mjs';

/** Long enough for charts to have something to show. */
const RUN_MS = 150_000;

const demo = await startDemo();
const browser = await launch();
try {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: 'light',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(demo.link);
  await page.locator('.overview-say').waitFor();
  await page.waitForTimeout(RUN_MS);
  const docs = (/** @type {string} */ name) =>
    fileURLToPath(new URL(`../../docs/${name}.png`, import.meta.url));
  await page.screenshot({ path: docs('page-overview') });
  await page.goto(`${demo.address}/topology`);
  await page.locator('.map-node').first().waitFor();
  await page.waitForTimeout(2_000);
  await page.screenshot({ path: docs('page-topology') });
} finally {
  await browser.close();
  await demo.stop();
}
