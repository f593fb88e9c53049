import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Hooks, Stream } from './stream';

interface Opened {
  views: string[];
  signal: AbortSignal;
  send: (text: string) => void;
  end: () => void;
}

function harness(refuse?: () => Error | undefined) {
  const opened: Opened[] = [];
  const events: string[] = [];
  let isUnauthorized = false;
  const hooks: Hooks = {
    open(views, signal) {
      const error = refuse?.();
      if (error) return Promise.reject(error);
      const encoder = new TextEncoder();
      return Promise.resolve(
        new ReadableStream<Uint8Array>({
          start(controller) {
            signal.addEventListener('abort', () => {
              try {
                controller.error(new Error('aborted'));
              } catch {
                /* ended */
              }
            });
            opened.push({
              views,
              signal,
              send: (text) => controller.enqueue(encoder.encode(text)),
              end: () => controller.close(),
            });
          },
        }),
      );
    },
    onEvent: (event) => events.push(event.data),
    onUnauthorized: () => {
      isUnauthorized = true;
    },
    now: () => Date.now(),
    draw: () => 1,
  };
  const stream = new Stream(hooks);
  return { stream, opened, events, isUnauthorized: () => isUnauthorized };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('several views share one stream, and a change of views opens one new stream', async () => {
  const { stream, opened, events } = harness();
  stream.want('overview');
  const drop = stream.want('services');
  await pass(200);
  expect(opened.map((one) => one.views)).toEqual([['overview', 'services']]);
  opened[0]!.send('event: view\ndata: 1\n\n');
  await pass(1);
  expect(events).toEqual(['1']);
  drop();
  stream.want('clusters');
  await pass(200);
  expect(opened.map((one) => one.views)).toEqual([
    ['overview', 'services'],
    ['clusters', 'overview'],
  ]);
  expect(opened[0]!.signal.aborted).toBe(true);
  stream.close();
});

test('an ended stream is opened again, later each time, until it is heard', async () => {
  let isDown = false;
  const { stream, opened } = harness(() => (isDown ? new Error('refused') : undefined));
  stream.want('overview');
  await pass(200);
  isDown = true;
  opened[0]!.end();
  await pass(1);
  expect(stream.connection.phase).toBe('waiting');
  await pass(2_000);
  expect(stream.connection.attempt).toBeGreaterThan(1);
  isDown = false;
  await pass(10_000);
  expect(opened.length).toBe(2);
  expect(stream.connection).toMatchObject({ phase: 'open', attempt: 0 });
  stream.close();
});

test('a stream that says nothing at all is taken for dead', async () => {
  const { stream, opened } = harness();
  stream.want('overview');
  await pass(200);
  await pass(20_000);
  expect(opened[0]!.signal.aborted).toBe(true);
  expect(opened.length).toBeGreaterThan(1);
  stream.close();
});

test('heartbeats keep a stream alive', async () => {
  const { stream, opened } = harness();
  stream.want('overview');
  await pass(200);
  for (let beat = 0; beat < 10; beat += 1) {
    opened[0]!.send(': beat\n\n');
    await pass(5_000);
  }
  expect(opened.length).toBe(1);
  stream.close();
});

test('a hidden tab has no stream, and a shown one has it again', async () => {
  const { stream, opened } = harness();
  stream.want('overview');
  await pass(200);
  stream.pause(true);
  await pass(60_000);
  expect(opened[0]!.signal.aborted).toBe(true);
  expect(opened.length).toBe(1);
  stream.pause(false);
  await pass(1);
  expect(opened.length).toBe(2);
  stream.close();
});

test('a refused session ends in the sign-in, not in attempts', async () => {
  const { stream, opened, isUnauthorized } = harness(() =>
    Object.assign(new Error('no'), { status: 401 }),
  );
  stream.want('overview');
  await pass(60_000);
  expect(isUnauthorized()).toBe(true);
  expect(opened.length).toBe(0);
  stream.close();
});
