// Debian's Chromium, driven by playwright-core: one browser, pages of a size and a theme.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PATHS = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--font-render-hinting=none',
];

export function launch() {
  const executablePath = PATHS.find((path) => path !== undefined && existsSync(path));
  if (!executablePath)
    throw new Error('no Chromium found: apt-get install chromium, or name one by CHROMIUM');
  return chromium.launch({ executablePath, args: FLAGS });
}
