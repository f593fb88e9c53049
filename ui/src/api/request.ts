// Calls of the REST API: paths relative to `<base>`, the session's guard against forged requests,
// problems as values that a part can show.

import createClient from 'openapi-fetch';
import type { paths } from '../api.gen';
import type { Problem } from './views';

const GUARDED = new Set(['POST', 'PUT', 'DELETE', 'PATCH']);
let guard: string | undefined;

/** The token that the session gave; sent with every call that changes something. */
export function setGuard(csrf: string | undefined): void {
  guard = csrf;
}

export class Refused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }
}

export function apiBase(): string {
  return new URL('.', document.baseURI).pathname.replace(/\/$/, '');
}

export function apiPath(path: string): string {
  return `${apiBase()}/api/v1/${path}`;
}

/** What the page says when nothing, or something unreadable, came back. */
export function unreachable(): Problem {
  return {
    type: 'about:blank',
    title: 'The bridge cannot be reached',
    status: 0,
    code: 'RIA6001',
    detail: 'No answer came from the address that served this page.',
    hint: 'Check the network and that a member of the bridge runs there; the page tries again by itself.',
  };
}

export async function problemOf(answer: Response): Promise<Problem> {
  const body: unknown = await answer.json().catch(() => undefined);
  if (isProblem(body)) return body;
  return {
    ...unreachable(),
    status: answer.status,
    title: `The answer was ${answer.status} ${answer.statusText}`,
    detail: 'It carried no explanation.',
  };
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'title' in value && 'status' in value;
}

function guarded(input: Request): Promise<Response> {
  if (guard && GUARDED.has(input.method)) input.headers.set('X-Rialto-CSRF', guard);
  return fetch(input);
}

/** A call by path, for what the typed client does not know: views and sessions. */
export async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const headers = new Headers({ Accept: 'application/json' });
  if (body !== undefined) headers.set('Content-Type', 'application/json');
  const request = new Request(apiPath(path), {
    method,
    headers,
    signal,
    credentials: 'same-origin',
    cache: 'no-store',
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await guarded(request).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new Refused(unreachable());
  });
  if (!answer.ok) throw new Refused(await problemOf(answer));
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** Typed by api/openapi.json: a path that the API does not have does not compile. */
export const api = createClient<paths>({
  baseUrl: typeof document === 'undefined' ? '' : apiBase(),
  fetch: guarded,
  // A verb stands in the last segment as `NAME:verb`; the colon is part of the path.
  pathSerializer: (pathname, params) =>
    Object.entries(params).reduce(
      (path, [name, value]) =>
        path.replace(`{${name}}`, encodeURIComponent(String(value)).replaceAll('%3A', ':')),
      pathname,
    ),
});

/** The data of an answer of the typed client, or its problem thrown. */
export async function take<T>(
  answer: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error } = await answer.catch(() => {
    throw new Refused(unreachable());
  });
  if (error !== undefined) throw new Refused(isProblem(error) ? error : unreachable());
  return data as T;
}
