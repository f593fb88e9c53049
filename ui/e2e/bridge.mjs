// A real bridge with a made-up federation in front of it, started for a measurement. CARGO names
// the cargo that builds both.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Building without anything built before takes longest. */
const READY_MS = 40 * 60_000;

/** @param {number} minutes how long it lasts at most @param {string[]} [sizes] for the generator */
export async function startFederation(minutes, sizes = []) {
  const child = spawn(
    process.env.CARGO ?? 'cargo',
    [
      ...['bench', '--workspace', '--locked', '--bench', 'page', '--'],
      ...['--lasting', `${minutes}m`, ...sizes],
    ],
    // A group of its own: cargo does not hand signals on.
    { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const end = (/** @type {NodeJS.Signals} */ signal) => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
  };
  process.once('exit', () => end('SIGKILL'));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  let said = '';
  /** @type {string} */
  const link = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no federation: ${said}`)), READY_MS);
    child.stdout.on('data', (data) => {
      said += data;
      const found = /http:\/\/[\d.]+:\d+\/#code=\S+/.exec(said)?.[0];
      if (!found) return;
      clearTimeout(timer);
      resolve(found);
    });
    void gone.then(() => reject(new Error(`the federation ended: ${said}`)));
  });
  const stop = () => {
    end('SIGTERM');
    return gone;
  };
  return { link, address: new URL(link).origin, stop };
}
