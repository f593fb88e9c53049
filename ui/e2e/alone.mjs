// The built page against made-up answers: what needs no federation. Sizes, themes, keys, axe, a
// lost connection. `federation.mjs` has the rest.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';
import { TIMEOUT_MS, accessible, complaints, expect, fits, run, shot, tabTo } from './checks.mjs';

const PAGES = {
  overview: '/',
  services: '/services',
  service: '/services/books/reviews',
  clusters: '/clusters',
  cluster: '/clusters/east',
  topology: '/topology',
  selected: '/topology?node=east%2Fbooks%2Freviews',
  table: '/topology?show=table',
  changes: '/changes?open=1.58',
  shift: '/services/books/reviews?act=shift',
  join: '/clusters?act=join',
  nothing: '/no/such/page',
};
/** Of the layout, added up; what browsers call good is up to 0.1. */
const JUMP_MAX = 0.05;
/** @type {[number, number][]} */
const SIZES = [
  [390, 844],
  [1440, 900],
  [2560, 1300],
];

/** @returns {Promise<{ address: string, stop: () => Promise<unknown>, port: string }>} */
async function serve(port = '0') {
  const path = fileURLToPath(new URL('../test/fixtures/serve.mjs', import.meta.url));
  const child = spawn(process.execPath, [path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, RIALTO_FIXTURES_PORT: port },
  });
  const line = await new Promise((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(String(data)));
    child.once('exit', () => reject(new Error('the server of fixtures ended')));
  });
  const address = /http:\/\/[\d.:]+/.exec(line)?.[0] ?? '';
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const stop = () => {
    child.kill('SIGKILL');
    return gone;
  };
  return { address, stop, port: new URL(address).port };
}

let server = await serve();
const browser = await launch();
/** @type {import('playwright-core').Page | undefined} */
let page;

/** @param {number} [width] @param {number} [height] @param {'light' | 'dark'} [colorScheme] */
async function open(width = 1440, height = 900, colorScheme = 'light') {
  await page?.context().close();
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    reducedMotion: 'reduce',
  });
  page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  return page;
}

/**
 * Texts that are a number and nothing else, and panels with rates that do not say of which time
 * they are. Runs in the page.
 */
function unexplained() {
  /** Names that happen to be numbers, and what a person types or chooses. */
  const names = 'code, kbd, .mono, option, select, input, [aria-hidden="true"]';
  const isShown = (/** @type {Element} */ element) => element.getClientRects().length > 0;
  const bare = [...document.querySelectorAll('main *, [role=dialog] *')].filter((element) => {
    const text = [...element.childNodes]
      .filter(({ nodeType }) => nodeType === Node.TEXT_NODE)
      .map(({ textContent }) => textContent)
      .join('')
      .trim();
    if (!/^[<>~+-]?\d[\d.,:\u2009 /]*[kMGT]?$/.test(text) || !isShown(element)) return false;
    if (element.closest(names)) return false;
    // A place in a list.
    if (text.endsWith('.') && element.closest('ol')) return false;
    // What its column, or on a phone its own head, calls by the name of a number.
    const cell = element.closest('td');
    const column = cell && cell.closest('table')?.rows[0]?.cells[cell.cellIndex]?.textContent;
    return column !== 'Port';
  });
  const rates = /\d ?(\/s|ms|B\/s)|\d %/;
  const times = /last \d+ (s|min)|\d+ (s|min|h|d) ago|measured|begin now/i;
  const parts = [...document.querySelectorAll('main .panel, main .cards, main .overview-say')];
  const timeless = parts.filter((part) => {
    const text = /** @type {HTMLElement} */ (part).innerText;
    const head = /** @type {HTMLElement | null} */ (document.querySelector('main .page-head'));
    return rates.test(text) && !times.test(text) && !times.test(head?.innerText ?? '');
  });
  return [
    ...bare.map((one) => `the bare number ${one.textContent} in <${one.tagName} ${one.className}>`),
    ...timeless.map((part) => `no time in ${part.querySelector('h2')?.textContent}`),
  ];
}

/** @param {import('playwright-core').Page} on */
async function signIn(on) {
  await on.goto(`${server.address}/#code=any`);
  await on.getByRole('heading', { level: 1, name: /services failing/ }).waitFor();
}

/** @type {[string, () => Promise<void>][]} */
const checks = [
  [
    'sign_in_by_token_after_a_wrong_one',
    async () => {
      const on = await open();
      await on.goto(`${server.address}/clusters`);
      await on.getByLabel('Administrator token').fill('wrong');
      await on.keyboard.press('Enter');
      await on.getByRole('alert').getByText('The token is not known').waitFor();
      await accessible(on, 'sign-in');
      await on.getByLabel('Administrator token').fill('right');
      await on.keyboard.press('Enter');
      await on.getByRole('heading', { level: 1, name: 'Clusters' }).waitFor();
    },
  ],
  [
    'a_sign_in_link_leaves_no_code_in_the_address',
    async () => {
      const on = await open();
      await signIn(on);
      expect(!on.url().includes('code'), `the code is still in ${on.url()}`);
    },
  ],
  ...SIZES.flatMap(([width, height]) =>
    /** @type {const} */ (['light', 'dark']).map(
      (theme) =>
        /** @type {[string, () => Promise<void>]} */ ([
          `every_page_at_${width}_in_${theme}`,
          async () => {
            const on = await open(width, height, theme);
            const said = complaints(on);
            await signIn(on);
            for (const [name, path] of Object.entries(PAGES)) {
              await on.goto(server.address + path);
              await on.locator('main, [role=dialog]').last().waitFor();
              await on.locator('[role=status][aria-label^="Connection: Live"]').waitFor();
              await on.locator('[aria-label^="Loading"]').waitFor({ state: 'detached' });
              if (name === 'topology') await on.locator('.map-node').first().waitFor();
              if (name === 'shift' || name === 'join')
                await on
                  .getByRole('dialog')
                  .getByRole('button', { name: /Shift traffic|Make a token/ })
                  .waitFor();
              await shot(on, `${name}-${theme}-${width}`);
              await fits(on, `${name} at ${width}`);
              if (width < 2000) await accessible(on, `${name} in ${theme} at ${width}`);
            }
            expect(said.length === 0, `the console says: ${said.join('; ')}`);
          },
        ]),
    ),
  ),
  [
    'jump_to_a_service_by_keyboard',
    async () => {
      const on = await open();
      await signIn(on);
      await on.keyboard.press('/');
      await on.getByRole('combobox').waitFor();
      await on.keyboard.type('review v3');
      await on.getByRole('option', { name: /books\/reviews-v3/ }).waitFor();
      await on.waitForFunction(() => document.querySelectorAll('[role=option]').length === 1);
      await on.keyboard.press('Enter');
      await on.waitForURL('**/services/books/reviews-v3');
    },
  ],
  [
    'the_map_is_one_tab_stop_and_arrows_walk_it',
    async () => {
      const on = await open();
      await signIn(on);
      await on.keyboard.press('g');
      await on.keyboard.press('t');
      await on.waitForURL('**/topology');
      await on.locator('.map-node').first().waitFor();
      expect(
        (await on.locator('.map [tabindex="0"]').count()) === 1,
        'the map has more than one tab stop',
      );
      await tabTo(on, '.map [data-item]');
      const first = await on.evaluate(() => document.activeElement?.getAttribute('data-item'));
      await on.keyboard.press('ArrowRight');
      await on.waitForFunction(
        (before) => document.activeElement?.getAttribute('data-item') !== before,
        first,
      );
      await on.keyboard.press('Space');
      await on.getByRole('complementary', { name: 'Selection' }).waitFor();
      expect(on.url().includes('node='), 'the selection is not in the address');
      await on.keyboard.press('Escape');
      await on.getByRole('complementary', { name: 'Worth a look' }).waitFor();
      await on.keyboard.press('v');
      await on.getByRole('region', { name: 'Calls' }).waitFor();
      expect(on.url().includes('show=table'), 'the table is not in the address');
    },
  ],
  [
    'filters_are_in_the_address_and_come_back_from_it',
    async () => {
      const on = await open();
      await signIn(on);
      await on.goto(`${server.address}/services?health=failing`);
      await on.getByText('1 of 8 services', { exact: true }).waitFor();
      await on.keyboard.press('f');
      await on.keyboard.type('nothing like it');
      await on.getByText('No service fits').waitFor();
      // The address follows once typing pauses.
      await on.waitForURL(/search=nothing/);
      await on.getByRole('button', { name: 'Clear the filter' }).click();
      await on.getByText('8 services', { exact: true }).waitFor();
    },
  ],
  [
    'nothing_jumps_while_a_page_loads',
    async () => {
      for (const [width, height] of SIZES) {
        const on = await open(width, height);
        await on.addInitScript(() => {
          Object.assign(window, { shifted: 0, jumps: [] });
          new PerformanceObserver((list) => {
            for (const entry of /** @type {any[]} */ (list.getEntries())) {
              if (entry.hadRecentInput) continue;
              /** @type {any} */ (window).shifted += entry.value;
              const names = entry.sources.map((/** @type {any} */ { node }) => node?.className);
              /** @type {any} */ (window).jumps.push(`${entry.value.toFixed(3)} ${names}`);
            }
          }).observe({ type: 'layout-shift', buffered: true });
        });
        await signIn(on);
        // Answers come after the first picture, however fast the machine is.
        await on.route(/\/api\/v1\/(views|live)/, async (route) => {
          const drawn = () =>
            new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          // The page may be on its way to another address.
          await on.evaluate(drawn).catch(() => undefined);
          await route.continue().catch(() => undefined);
        });
        for (const [name, path] of Object.entries(PAGES)) {
          await on.goto(server.address + path);
          await on.locator('[role=status][aria-label^="Connection: Live"]').waitFor();
          await on.locator('[aria-label^="Loading"]').waitFor({ state: 'detached' });
          // What loads late has come and is drawn once the browser has nothing to do.
          await on.evaluate(() => new Promise((done) => requestIdleCallback(done)));
          /** @type {{ shifted: number, jumps: string[] }} */
          const { shifted, jumps } = await on.evaluate(() => {
            const { shifted, jumps } = /** @type {any} */ (window);
            return { shifted, jumps };
          });
          expect(
            shifted <= JUMP_MAX,
            `${name} at ${width} jumps by ${shifted}: ${jumps.join('; ')}`,
          );
        }
      }
    },
  ],
  [
    'the_time_is_in_the_address_and_comes_back_from_it',
    async () => {
      const on = await open();
      await signIn(on);
      const withRates = ['overview', 'services', 'service', 'clusters', 'cluster'];
      for (const name of /** @type {(keyof typeof PAGES)[]} */ ([
        ...withRates,
        'topology',
        'table',
      ])) {
        await on.goto(server.address + PAGES[name]);
        await on.getByText('last 30 s').first().waitFor();
        await on.getByText('5 min', { exact: true }).first().click();
        await on.waitForURL('**over=5m');
        await on.reload();
        await on
          .getByRole('radio', { name: '5 min', checked: true })
          .waitFor({ state: 'attached' });
        await on.getByText('last 5 min').first().waitFor();
        expect(
          (await on.getByText('last 30 s').count()) === 0,
          `${name} says 30 s of what was asked over 5 min`,
        );
      }
    },
  ],
  [
    'every_number_has_its_unit_and_every_part_its_time',
    async () => {
      for (const [width, height] of SIZES) {
        const on = await open(width, height);
        await signIn(on);
        for (const [name, path] of Object.entries(PAGES)) {
          if (name === 'nothing') continue;
          await on.goto(server.address + path);
          await on.locator('[aria-label^="Loading"]').waitFor({ state: 'detached' });
          await on.locator('time.as-of').first().waitFor();
          if (name === 'topology') await on.locator('.map-node').first().waitFor();
          if (name === 'shift') await on.locator('.weights output').first().waitFor();
          const found = await on.evaluate(unexplained);
          expect(found.length === 0, `${name} at ${width}: ${found.join('; ')}`);
        }
      }
    },
  ],
  [
    'a_lost_connection_is_said_the_data_kept_and_the_recovery_seen',
    async () => {
      const on = await open();
      const last = on.waitForResponse(/assets\/revert-/);
      await signIn(on);
      await last;
      await on.locator('[aria-label="Connection: Live"]').waitFor();
      const { port } = server;
      await server.stop();
      await on.getByRole('alert').getByText('The bridge cannot be reached.').waitFor();
      expect((await on.locator('.content.stale').count()) === 1, 'old data is not greyed');
      await on.getByRole('heading', { level: 1, name: /services failing/ }).waitFor();
      await shot(on, 'lost');
      server = await serve(port);
      await on.locator('[aria-label="Connection: Live"]').waitFor();
      await on.locator('.content.stale').waitFor({ state: 'detached' });
    },
  ],
  [
    'a_part_that_does_not_come_leaves_the_rest_and_is_asked_for_again',
    async () => {
      const on = await open();
      let isAway = true;
      await on.route(/assets\/plot-/, (route) => (isAway ? route.abort() : route.continue()));
      const refused = on.waitForEvent('requestfailed');
      await signIn(on);
      await refused;
      await on.evaluate(() => document.body.setAttribute('data-same', ''));
      await on.getByRole('heading', { level: 1, name: /services failing/ }).waitFor();
      isAway = false;
      await on.locator('[data-same] .chart canvas').first().waitFor();
    },
  ],
  [
    'every_page_opens_while_the_bridge_is_away',
    async () => {
      const on = await open();
      const last = on.waitForResponse(/assets\/revert-/);
      await signIn(on);
      await last;
      const { port } = server;
      await server.stop();
      for (const name of ['Topology', 'Services', 'Clusters', 'Changes']) {
        await on.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click();
        await on.getByRole('heading', { level: 1, name }).waitFor();
      }
      await on.getByText('The bridge cannot be reached').first().waitFor();
      server = await serve(port);
      await on.getByText('apply AccessPolicy books/ratings-callers').first().waitFor();
    },
  ],
  [
    'a_hidden_tab_holds_no_stream',
    async () => {
      const on = await open();
      /** @type {string[]} */
      const streams = [];
      on.on('request', (request) => {
        if (request.url().includes('/live?')) streams.push(request.url());
      });
      await signIn(on);
      await on.locator('[aria-label="Connection: Live"]').waitFor();
      await on.evaluate(() => {
        Object.defineProperty(document, 'hidden', { value: true, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      });
      await on.locator('[aria-label="Connection: Paused"]').waitFor();
      const before = streams.length;
      await on.evaluate(() => {
        Object.defineProperty(document, 'hidden', { value: false, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      });
      await on.locator('[aria-label="Connection: Live"]').waitFor();
      expect(streams.length === before + 1, `${streams.length - before} streams were opened`);
    },
  ],
];

const only = process.argv[2];
await run('page', only ? checks.filter(([name]) => name.includes(only)) : checks, async () => page);
await browser.close();
await server.stop();
