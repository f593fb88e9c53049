// How fast the page answers, and what it keeps: 50 clusters, 2,000 services, 500 events a second,
// made up and seeded, played to a real bridge (`cli/tests/page`). Prints a table; judges nothing.
//
//   node e2e/bench.mjs [--minutes 10]

import { startFederation } from './bridge.mjs';
import { launch } from './browser.mjs';

const ROUNDS = 40;
const minutes = Number(process.argv[process.argv.indexOf('--minutes') + 1] || 10);
const { link, address, stop } = await startFederation(minutes + 20);
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
const page = await context.newPage();
const session = await context.newCDPSession(page);

/** From an input's time stamp to the end of the frame that follows its handlers, as the browser sees it. */
await page.addInitScript(() => {
  /** @type {number[]} */
  const delays = [];
  Object.assign(window, { delays });
  for (const name of ['keydown', 'click', 'change', 'wheel', 'pointermove']) {
    window.addEventListener(
      name,
      (event) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => delays.push(performance.now() - event.timeStamp);
        // A task after the next frame's callbacks runs once that frame is painted.
        requestAnimationFrame(() => channel.port2.postMessage(0));
      },
      { capture: true, passive: true },
    );
  }
});

/** @param {string} name @param {() => Promise<void>} act */
async function measure(name, act) {
  await page.evaluate(() => {
    /** @type {any} */ (window).delays.length = 0;
  });
  await act();
  await page.waitForTimeout(300);
  /** @type {number[]} */
  const delays = await page.evaluate(() => /** @type {any} */ (window).delays.slice());
  delays.sort((a, b) => a - b);
  const at = (/** @type {number} */ share) =>
    delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? Number.NaN;
  console.log(
    `| ${name} | ${delays.length} | ${at(0.5).toFixed(0)} ms | ${at(0.95).toFixed(0)} ms | ${(delays.at(-1) ?? Number.NaN).toFixed(0)} ms |`,
  );
}

async function heap() {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return usedSize / 1e6;
}

await page.goto(link);
await page.locator('.overview-say').waitFor();
console.log('| input | inputs | median | p95 | most |\n|---|---|---|---|---|');

await page.goto(`${address}/services`);
await page.locator('tbody tr').first().waitFor();
const search = page.getByRole('searchbox');
await measure('search: a letter typed', async () => {
  for (let round = 0; round < ROUNDS / 4; round += 1) {
    await search.focus();
    await page.keyboard.type(`team service-0${round % 10}`, { delay: 60 });
    await search.fill('');
  }
});
await measure('filter: another cluster, another health', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const select = page.getByLabel(round % 2 ? 'Cluster' : 'Health', { exact: true });
    await select.focus();
    await page.keyboard.press('ArrowDown');
    await page.waitForTimeout(150);
  }
});
await page.goto(`${address}/services`);
await page.locator('tbody tr').first().waitFor();
await measure('open a service, and back', async () => {
  for (let round = 0; round < ROUNDS / 2; round += 1) {
    await page
      .locator('tbody tr a')
      .nth(round % 20)
      .click();
    await page.getByText('Where it lives').waitFor();
    await page.waitForTimeout(120);
    await page.goBack();
    await page.locator('tbody tr').first().waitFor();
  }
});
await page.goto(`${address}/topology`);
await page.locator('.map-cluster').first().waitFor();
await page.waitForTimeout(1_500);
await measure('pan the map of 50 clusters', async () => {
  await page.mouse.move(500, 500);
  await page.mouse.down();
  for (let step = 0; step < ROUNDS * 4; step += 1)
    await page.mouse.move(500 + 200 * Math.sin(step / 12), 500 + 120 * Math.cos(step / 9));
  await page.mouse.up();
});
await page.goto(`${address}/topology?cluster=cluster-01&group=none`);
await page.locator('.map-node').first().waitFor();
await page.waitForTimeout(1_000);
const drawn = await page.locator('.map-node').count();
await measure(`pan the map of one cluster, ${drawn} services`, async () => {
  await page.mouse.move(500, 500);
  await page.mouse.down();
  for (let step = 0; step < ROUNDS * 4; step += 1)
    await page.mouse.move(500 + 200 * Math.sin(step / 12), 500 + 120 * Math.cos(step / 9));
  await page.mouse.up();
});

await page.goto(`${address}/services`);
await page.locator('tbody tr').first().waitFor();
const first = await heap();
const end = Date.now() + minutes * 60_000;
for (let round = 0; Date.now() < end; round += 1) {
  await page
    .locator('.nav a')
    .nth(round % 5)
    .click();
  await page.waitForTimeout(Math.min(6_000, Math.max(0, end - Date.now())));
}
console.log(
  `\nheap after a collection: ${first.toFixed(0)} MB at first, ${(await heap()).toFixed(0)} MB after ${minutes} min of going through all pages`,
);
await browser.close();
await stop();
