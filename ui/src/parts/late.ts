// Parts of the page that are no part of its first load. They are fetched when they are wanted, or
// soon after the first picture, so that a page that stands open goes on while the bridge is away.

import { apiBase } from '../api/request';

const AGAIN_MS = 2_000;

export interface Surroundings {
  /** Whether the address that served this page answers at all. */
  answers(): Promise<boolean>;
  wait(ms: number): Promise<void>;
}

const browser: Surroundings = {
  answers: () =>
    fetch(`${apiBase()}/`, { method: 'HEAD', cache: 'no-store' }).then(
      ({ ok }) => ok,
      () => false,
    ),
  wait: (ms) => new Promise((done) => setTimeout(done, ms)),
};

/** A part that cannot be had of a bridge that answers, as one of another version: load the page anew. */
export class PartMissing extends Error {}

/**
 * What `load` gives, however long the bridge is away. Rejects as `PartMissing` when the bridge
 * answers and twice does not have the part.
 */
export async function insist<T>(load: () => Promise<T>, around = browser): Promise<T> {
  for (let wasThere = false; ;) {
    try {
      return await load();
    } catch (error) {
      const isThere = await around.answers();
      if (isThere && wasThere) throw new PartMissing(String(error), { cause: error });
      wasThere = isThere;
    }
    await around.wait(AGAIN_MS);
  }
}

const parts: (() => Promise<unknown>)[] = [];

/** Makes a part of a dynamic import, for `lazy` and for routes. */
export function late<T>(load: () => Promise<T>): () => Promise<T> {
  parts.push(load);
  return () => insist(load);
}

/** Fetches every part, those that parts bring included. */
export async function fetchParts(): Promise<void> {
  // Whoever wants a part that could not be had now asks for it again.
  for (const load of parts) await load().catch(() => undefined);
}

export async function isBridgeThere(): Promise<boolean> {
  return browser.answers();
}
