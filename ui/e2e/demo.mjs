// A real `rialto demo`, started for a test and ended after it. RIALTO_BIN names the binary.

import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const READY_MS = 180_000;
const END_MS = 30_000;

export async function startDemo() {
  const binary = process.env.RIALTO_BIN;
  if (!binary) throw new Error('RIALTO_BIN does not name the binary of rialto');
  const folder = join(mkdtempSync(join(tmpdir(), 'rialto-page-')), 'demo');
  const child = spawn(binary, ['demo', '--rest', '127.0.0.1:0', '--folder', folder], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const gone = new Promise((resolve) => child.once('exit', resolve));
  /** @type {string} */
  const link = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGTERM');
      reject(new Error(`no sign-in link within ${READY_MS} ms: ${said}`));
    }, READY_MS);
    const hear = (/** @type {Buffer} */ data) => {
      said += data;
      const found = /http:\/\/[\d.]+:\d+\/#code=\S+/.exec(said)?.[0];
      if (!found) return;
      clearTimeout(timer);
      resolve(found);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    void gone.then(() => reject(new Error(`the demo ended: ${said}`)));
  });
  /** What `rialto demo kill` and its like do. @param {string} verb @param {string[]} words */
  const ask = (verb, ...words) => execute(binary, ['demo', verb, '--folder', folder, ...words]);
  const stop = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    await gone;
    clearTimeout(timer);
    rmSync(join(folder, '..'), { recursive: true, force: true });
  };
  return { link, address: new URL(link).origin, ask, stop };
}
