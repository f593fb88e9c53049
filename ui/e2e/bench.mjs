// How fast the page answers, and what it keeps, in front of a real bridge to which a made-up, seeded
// federation is played (`cli/tests/page`). Prints a table; judges nothing.
//
//   node e2e/bench.mjs [--minutes 10] [--clusters 50] [--services 2000] [--events 500]

import { parseArgs } from 'node:util';
import { startFederation } from './bridge.mjs';
import { launch } from './browser.mjs';

const ROUNDS = 40;
const text = /** @type {const} */ ({ type: 'string' });
const { minutes: lasting, ...size } = parseArgs({
  options: { minutes: text, clusters: text, services: text, events: text },
}).values;
const minutes = Number(lasting ?? 10);
const sizes = Object.entries(size).flatMap(([name, value]) => [`--${name}`, String(value)]);
const { link, address, stop } = await startFederation(minutes + 20, sizes);
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
const page = await context.newPage();
const session = await context.newCDPSession(page);

/** From an input's time stamp to the end of the frame that follows its handlers, as the browser sees it. */
await page.addInitScript(() => {
  /** @type {[string, number][]} */
  const delays = [];
  Object.assign(window, { delays });
  for (const name of ['keydown', 'click', 'change', 'wheel', 'pointermove', 'popstate']) {
    window.addEventListener(
      name,
      (event) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => delays.push([name, performance.now() - event.timeStamp]);
        // A task after the next frame's callbacks runs once that frame is painted.
        requestAnimationFrame(() => channel.port2.postMessage(0));
      },
      { capture: true, passive: true },
    );
  }
});

/**
 * @param {() => Promise<void>} act
 * @param {Record<string, (event: string) => boolean>} rows of the table, and whose inputs they are
 */
async function measure(act, rows) {
  await page.evaluate(() => {
    /** @type {any} */ (window).delays.length = 0;
  });
  await act();
  await page.waitForTimeout(300);
  /** @type {[string, number][]} */
  const all = await page.evaluate(() => /** @type {any} */ (window).delays.slice());
  for (const [row, isOf] of Object.entries(rows)) {
    const delays = all.filter(([event]) => isOf(event)).map(([, delay]) => delay);
    delays.sort((a, b) => a - b);
    const at = (/** @type {number} */ share) =>
      delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? Number.NaN;
    const figures = [at(0.5), at(0.95), at(1)].map((delay) => `${delay.toFixed(0)} ms`);
    console.log(`| ${[row, delays.length, ...figures].join(' | ')} |`);
  }
}

async function pan() {
  await page.mouse.move(500, 500);
  await page.mouse.down();
  for (let step = 0; step < ROUNDS * 4; step += 1)
    await page.mouse.move(500 + 200 * Math.sin(step / 12), 500 + 120 * Math.cos(step / 9));
  await page.mouse.up();
}

async function heap() {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return usedSize / 1e6;
}

await page.goto(link);
await page.locator('.overview-say').waitFor();
/** @type {{ clusters: number, services: number }} */
const { clusters, services } = await page.evaluate(async () => {
  const view = async (/** @type {string} */ path) => (await fetch(`api/v1/views/${path}`)).json();
  const [{ items }, { total }] = [await view('clusters'), await view('services?limit=1')];
  return { clusters: items.length, services: total };
});
console.log(`${clusters} clusters, ${services} services\n`);
console.log('| input | inputs | median | p95 | most |\n|---|---|---|---|---|');

await page.goto(`${address}/services`);
await page.locator('tbody tr').first().waitFor();
const search = page.getByRole('searchbox');
await measure(
  async () => {
    for (let round = 0; round < ROUNDS / 4; round += 1) {
      await search.focus();
      await page.keyboard.type(`team service-0${round % 10}`, { delay: 60 });
      await search.fill('');
    }
  },
  { 'search: a letter typed': () => true },
);
await measure(
  async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const select = page.getByLabel(round % 2 ? 'Cluster' : 'Health', { exact: true });
      await select.focus();
      await page.keyboard.press('ArrowDown');
      await page.waitForTimeout(150);
    }
  },
  { 'filter: another cluster, another health': () => true },
);
await page.goto(`${address}/services`);
await page.locator('tbody tr').first().waitFor();
await measure(
  async () => {
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
  },
  {
    'open a service': (event) => event !== 'popstate',
    'go back to all services': (event) => event === 'popstate',
  },
);
await page.goto(`${address}/topology`);
await page.locator('.map-cluster').first().waitFor();
await page.waitForTimeout(1_500);
await measure(pan, { [`pan the map of ${clusters} clusters`]: () => true });
await page.goto(`${address}/topology?cluster=cluster-01&group=none`);
await page.locator('.map-node').first().waitFor();
await page.waitForTimeout(1_000);
const drawn = await page.locator('.map-node').count();
await measure(pan, { [`pan the map of one cluster, ${drawn} services`]: () => true });

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
