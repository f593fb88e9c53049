// What every browser test needs: numbered checks, screenshots as artefacts, axe, waiting for texts.

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SHOTS = fileURLToPath(new URL('../dist-shots/', import.meta.url));
const GRAVE = new Set(['serious', 'critical']);

export const TIMEOUT_MS = 60_000;

/**
 * Runs the checks one after the other; the first that fails ends the run, with a picture.
 * @param {string} suite
 * @param {[string, () => Promise<void>][]} checks
 * @param {() => Promise<import('playwright-core').Page | undefined>} page
 */
export async function run(suite, checks, page) {
  let passed = 0;
  for (const [name, check] of checks) {
    const start = performance.now();
    try {
      await check();
    } catch (error) {
      console.log(`test ${suite}::${name} ... FAILED`);
      console.error(error);
      const shown = await page();
      if (shown) await shot(shown, `${suite}-failed`).catch(() => undefined);
      console.log(`test result: FAILED. ${passed} passed; 1 failed; ${SHOTS}${suite}-failed.png`);
      process.exitCode = 1;
      return;
    }
    passed += 1;
    console.log(`test ${suite}::${name} ... ok (${Math.round(performance.now() - start)} ms)`);
  }
  console.log(`test result: ok. ${passed} passed; 0 failed`);
}

/** @param {boolean} holds @param {string} text */
export function expect(holds, text) {
  if (!holds) throw new Error(text);
}

/** @param {import('playwright-core').Page} page @param {string} name */
export async function shot(page, name) {
  mkdirSync(SHOTS, { recursive: true });
  // Charts come after the first picture.
  await page.waitForFunction(() =>
    [...document.querySelectorAll('.chart [role=img]')].every((one) => one.childElementCount > 0),
  );
  await page.screenshot({ path: `${SHOTS}${name}.png` });
}

/**
 * Nothing serious and nothing critical, by axe.
 * @param {import('playwright-core').Page} page @param {string} where
 */
export async function accessible(page, where) {
  // Evaluated from outside of the page's policy, which allows no script but its own.
  await page.evaluate(AXE);
  /** @type {{ id: string, impact: string | null, nodes: { html: string, failureSummary: string }[] }[]} */
  const found = await page.evaluate(async () => {
    // @ts-ignore: axe is there now
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations;
  });
  const grave = found.filter(({ impact }) => impact !== null && GRAVE.has(impact));
  const lines = grave.flatMap(({ id, nodes }) =>
    nodes
      .slice(0, 4)
      .map((node) => `${id}: ${node.html.slice(0, 200)}\n    ${node.failureSummary}`),
  );
  expect(grave.length === 0, `axe on ${where}:\n  ${lines.join('\n  ')}`);
}

/** Wider than the screen means that a person must scroll sideways. @param {import('playwright-core').Page} page @param {string} where */
export async function fits(page, where) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(over <= 0, `${where} is ${over} pixels wider than the screen`);
}

/** What the page wrote to the console as an error, refusals of its policy included. @param {import('playwright-core').Page} page */
export function complaints(page) {
  /** @type {string[]} */
  const found = [];
  page.on('console', (message) => {
    if (message.type() === 'error') found.push(message.text());
  });
  page.on('pageerror', (error) => found.push(String(error)));
  return found;
}

/**
 * Presses Tab until the focus is on what fits, as a person without a pointer does.
 * @param {import('playwright-core').Page} page @param {string} selector @param {number} [most]
 */
export async function tabTo(page, selector, most = 120) {
  await page.locator(selector).first().waitFor({ state: 'attached' });
  for (let press = 0; press < most; press += 1) {
    const isThere = await page.evaluate(
      (wanted) => document.activeElement?.matches(wanted) ?? false,
      selector,
    );
    if (isThere) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach ${selector} within ${most} presses`);
}
