// The page on a real federation, `rialto demo`: what breaks is seen, what is steered takes effect.
// Everything after the sign-in is done by keyboard.

import { launch } from './browser.mjs';
import { accessible, complaints, expect, fits, run, shot, tabTo } from './checks.mjs';
import { startDemo } from './demo.mjs';

/** A gateway is taken for silent after its lease; a debug build on a busy machine is slow. */
const SEEN_MS = 90_000;

const demo = await startDemo();
const browser = await launch();
const context = await browser.newContext({
  viewport: { width: 1440, height: 900 },
  reducedMotion: 'reduce',
});
const page = await context.newPage();
page.setDefaultTimeout(SEEN_MS);
const said = complaints(page);
const { keyboard } = page;

/** @param {string} keys */
async function press(keys) {
  for (const key of keys.split(' ')) await keyboard.press(key);
}

/** @param {string} words what to look for @param {string} name what is then the first thing found @param {string} path */
async function jump(words, name, path) {
  await press('/');
  await page.getByRole('combobox', { name: /^Jump to/ }).waitFor();
  await keyboard.type(words);
  await page.getByRole('option', { selected: true }).getByText(name, { exact: true }).waitFor();
  await press('Enter');
  await page.waitForURL(`**${path}`);
}

/** @param {string} name */
const panel = (name) => page.getByRole('region', { name, exact: true });
const dialog = page.getByRole('dialog');

/** Calls the API as the page does; the status. @param {string} method @param {string} path @param {unknown} [body] */
function api(method, path, body) {
  return page.evaluate(
    async ([method, path, body]) => {
      const { csrf } = await (await fetch('/api/v1/session')).json();
      const headers = { 'X-Rialto-CSRF': csrf, 'Content-Type': 'application/json' };
      return (await fetch(`/api/v1/${path}`, { method, headers, body })).status;
    },
    /** @type {const} */ ([method, path, body === undefined ? undefined : JSON.stringify(body)]),
  );
}

/** Confirms the open dialog by keyboard. @param {string} verb @param {string} reason */
async function confirm(verb, reason) {
  const button = dialog.getByRole('button', { name: verb, exact: true });
  await page.waitForFunction(
    (name) =>
      [...document.querySelectorAll('[role=dialog] button')].some(
        (one) => one.textContent?.trim() === name && !one.hasAttribute('disabled'),
      ),
    verb,
  );
  await tabTo(page, '[role=dialog] input[maxlength="500"]');
  await keyboard.type(reason);
  await dialog.getByLabel('command', { exact: true }).getByText(reason).waitFor();
  for (
    let tries = 0;
    tries < 20 && !(await button.evaluate((one) => one === document.activeElement));
    tries += 1
  )
    await press('Tab');
  await press('Enter');
  await dialog.getByText(/Done, as revision/).waitFor();
  await dialog.getByText(/^All \d+ gateways and DNS proxies serve it/).waitFor();
  await accessible(page, `the dialog "${verb}", done`);
  await press('Escape');
  await dialog.waitFor({ state: 'detached' });
}

/** @type {[string, () => Promise<void>][]} */
const checks = [
  [
    'the_link_of_the_demo_signs_in',
    async () => {
      await page.goto(demo.link);
      await page.getByRole('heading', { level: 1 }).waitFor();
      expect(!page.url().includes('code'), `the code is still in ${page.url()}`);
      await page.locator('.overview-say[data-level="healthy"]').waitFor();
      await page.locator('[aria-label="Connection: Live"]').waitFor();
    },
  ],
  [
    'traffic_is_seen',
    async () => {
      await panel('Traffic')
        .getByText(/^[1-9][\d.]*k?\/s$/)
        .first()
        .waitFor();
      await shot(page, 'demo-overview');
    },
  ],
  [
    'a_killed_gateway_turns_red_and_back',
    async () => {
      const west = page.locator('.overview-clusters li', {
        has: page.getByRole('link', { name: 'west', exact: true }),
      });
      await demo.ask('kill', 'west.gateway-1');
      await west.locator('.level[data-level="degraded"], .level[data-level="failing"]').waitFor();
      await panel('Needs attention').getByText('gateway-1').first().waitFor();
      await shot(page, 'demo-gateway-killed');
      await accessible(page, 'the overview with a killed gateway');
      await demo.ask('start', 'west.gateway-1');
      await west.locator('.level[data-level="healthy"]').waitFor();
      await page.locator('.overview-say[data-level="healthy"]').waitFor();
    },
  ],
  [
    'a_shift_by_keyboard_and_the_rates_follow',
    async () => {
      await jump('books reviews', 'books/reviews', '/services/books/reviews');
      await tabTo(page, 'main button');
      await press('Enter');
      await dialog.getByText('What will happen').waitFor();
      // What can be chosen is fetched.
      await dialog.locator('option[value="reviews-v3"]').waitFor({ state: 'attached' });
      await tabTo(page, '[role=dialog] select');
      await keyboard.type('reviews-v3');
      await press('Tab Enter');
      await dialog.locator('#weight-reviews-v3').waitFor();
      await tabTo(page, '[role=dialog] [role=slider][aria-labelledby="weight-reviews-v3"]');
      await press('End');
      await dialog.locator('.diff').waitFor();
      await accessible(page, 'the dialog of a shift');
      await shot(page, 'demo-shift');
      await confirm('Shift traffic', 'test of the page');
      const third = panel('Routes')
        .locator('.backends li', { has: page.getByRole('link', { name: 'books/reviews-v3' }) })
        .first();
      await third.getByText('100 %').waitFor();
      await third.getByText(/^(?!0\/s)[\d.]+\/s$/).waitFor();
      await shot(page, 'demo-service');
    },
  ],
  [
    'the_change_is_told_and_taken_back',
    async () => {
      await press('g h');
      await page.waitForURL('**/changes*');
      const first = page.locator('.change-row').first();
      await first.getByText('test of the page').waitFor();
      await tabTo(page, '.change-row summary');
      await press('Enter');
      await first.locator('.diff').waitFor();
      await shot(page, 'demo-changes');
      await tabTo(page, '.change-body button:not(.copy)');
      await press('Enter');
      await confirm('Go back', 'took the test back');
      await page.locator('.change-row').first().getByText('took the test back').waitFor();
    },
  ],
  [
    'a_refused_caller_is_seen_with_the_reason',
    async () => {
      const policy = 'namespaces/books/accesspolicies/reviews-callers';
      const target = { group: 'multicluster.x-k8s.io', kind: 'ServiceImport', name: 'reviews' };
      const written = await api('PUT', policy, {
        apiVersion: 'rialto.dev/v1alpha1',
        kind: 'AccessPolicy',
        metadata: { namespace: 'books', name: 'reviews-callers' },
        spec: {
          targetRefs: [target],
          action: 'ALLOW',
          rules: [{ from: [{ identities: ['spiffe://*/ns/books/sa/productpage'] }] }],
        },
      });
      expect(written === 201, `the policy was answered ${written}`);
      const url = 'http://reviews.books.svc.clusterset.local:9080/about';
      const curl = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', url];
      const call = async () =>
        (await demo.ask('exec', 'east', '--as', 'console', '--', ...curl)).stdout;
      let status = '';
      for (let calls = 0; calls < 100 && status !== '403'; calls += 1) status = await call();
      expect(status === '403', `a stranger is still answered ${status}`);
      for (let calls = 0; calls < 5; calls += 1) await call();
      await jump('books reviews', 'books/reviews', '/services/books/reviews');
      const refused = panel('Who is refused')
        .getByRole('row', { name: /books\/console/ })
        .first();
      await refused.getByText('RIA2002').waitFor();
      await refused.getByText(/[1-9]\d* calls/).waitFor();
      await panel('Who may call it').getByText('reviews-callers').waitFor();
      await panel('Who is refused').scrollIntoViewIfNeeded();
      await shot(page, 'demo-refused');
      await accessible(page, 'a service with a refused caller');
      const deleted = await api('DELETE', policy);
      expect(deleted === 200, `deleting the policy was answered ${deleted}`);
    },
  ],
  [
    'west_is_drained_and_comes_back',
    async () => {
      await jump('west', 'west', '/clusters/west');
      /** @type {[string, string][]} */
      const verbs = [
        ['Drain', 'Drain…'],
        ['Bring back', 'Bring traffic back…'],
      ];
      for (const [verb, name] of verbs) {
        const button = page.getByRole('button', { name, exact: true });
        await button.waitFor();
        for (
          let tries = 0;
          tries < 60 && !(await button.evaluate((one) => one === document.activeElement));
          tries += 1
        )
          await press('Tab');
        await press('Enter');
        await dialog.getByText('What will happen').waitFor();
        await confirm(verb, `${verb.toLowerCase()} for a test`);
        if (verb === 'Drain') {
          await page.locator('h1').getByText('drained', { exact: true }).waitFor();
          await shot(page, 'demo-drained');
        }
      }
      await page.locator('h1').getByText('drained', { exact: true }).waitFor({ state: 'detached' });
    },
  ],
  [
    'a_cluster_that_joins_is_waited_for',
    async () => {
      await page.goto(`${demo.address}/clusters?act=join`);
      await dialog.getByLabel('Its name').fill('north');
      await press('Enter');
      await dialog.getByLabel('join command', { exact: true }).waitFor();
      await dialog.getByText(/Waiting for the agent of north/).waitFor();
      await accessible(page, 'a cluster that joins');
      await shot(page, 'demo-join');
    },
  ],
  [
    'every_page_of_a_real_federation_in_both_themes_at_three_sizes',
    async () => {
      const pages = {
        overview: '/',
        services: '/services',
        service: '/services/books/reviews',
        clusters: '/clusters',
        cluster: '/clusters/west',
        topology: '/topology',
        table: '/topology?show=table',
        changes: '/changes',
        explain: '/services/books/details',
      };
      /** @type {[number, number, 'light' | 'dark'][]} */
      const looks = [
        [390, 844, 'light'],
        [390, 844, 'dark'],
        [2560, 1300, 'light'],
        [2560, 1300, 'dark'],
        [1440, 900, 'light'],
        [1440, 900, 'dark'],
      ];
      for (const [width, height, theme] of looks) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme: theme });
        for (const [name, path] of Object.entries(pages)) {
          await page.goto(demo.address + path);
          await page.locator('h1').waitFor();
          await page.locator('[aria-label^="Loading"]').waitFor({ state: 'detached' });
          if (name === 'topology') await page.locator('.map-node').first().waitFor();
          if (name === 'explain') {
            await page.getByRole('button', { name: 'Explain' }).click();
            await page.locator('.explain-steps li').first().waitFor();
          }
          await shot(page, `demo-${name}-${theme}-${width}`);
          await fits(page, `${name} at ${width}`);
          if (width < 2000) await accessible(page, `${name} in ${theme} at ${width}`);
        }
      }
    },
  ],
  [
    'the_console_is_silent',
    async () => {
      expect(said.length === 0, `the console says: ${said.join('; ')}`);
    },
  ],
  [
    'who_signed_out_is_out_with_a_kept_cookie_too',
    async () => {
      const kept = await context.cookies();
      await page.goto(demo.address);
      await page.locator('.overview-say').waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('heading', { name: 'Sign in to Rialto' }).waitFor();
      expect((await page.getByRole('alert').count()) === 0, 'signing out met a problem');
      await context.addCookies(kept);
      const answer = await page.request.get(`${demo.address}/api/v1/session`);
      expect(answer.status() === 401, `the kept cookie is answered ${answer.status()}`);
    },
  ],
];

try {
  await run('federation', checks, async () => page);
} finally {
  await browser.close();
  await demo.stop();
}
