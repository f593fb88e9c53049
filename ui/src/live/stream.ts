// The one stream of a tab: carries every view that the page shows, pauses while the tab is hidden,
// and opens itself again.

import { type Connection, DEAD_MS, retryDelay } from './connection';
import { eventReader, type StreamEvent } from './events';

/** The API takes at most this many views in one stream. */
export const VIEWS_MAX = 8;
/** Pages change their views in several steps; the stream follows once they are done. */
const SETTLE_MS = 120;
const WATCH_MS = 1_000;

export interface Hooks {
  /** Opens the stream for these views; rejects with a `status` if it was refused. */
  open(views: string[], signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  onEvent(event: StreamEvent, at: number): void;
  onUnauthorized(): void;
  now(): number;
  draw(): number;
}

export class Stream {
  #hooks: Hooks;
  #wanted = new Map<string, number>();
  #opened = '';
  #abort: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #listeners = new Set<() => void>();
  #connection: Connection = { phase: 'opening', attempt: 0 };
  #isPaused = false;
  #isClosed = false;

  constructor(hooks: Hooks) {
    this.#hooks = hooks;
  }

  get connection(): Connection {
    return this.#connection;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks for a view until the returned function is called. */
  want(view: string): () => void {
    this.#wanted.set(view, (this.#wanted.get(view) ?? 0) + 1);
    this.#schedule(SETTLE_MS);
    return () => {
      const left = (this.#wanted.get(view) ?? 1) - 1;
      if (left > 0) this.#wanted.set(view, left);
      else this.#wanted.delete(view);
      this.#schedule(SETTLE_MS);
    };
  }

  pause(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) {
      this.#drop();
      this.#set({ phase: 'paused' });
    } else {
      this.#set({ phase: 'opening', attempt: 0 });
      this.#schedule(0);
    }
  }

  /** Tries at once, for a person who does not want to wait. */
  retry(): void {
    if (this.#connection.phase === 'waiting') this.#schedule(0);
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  #set(change: Partial<Connection>): void {
    this.#connection = { ...this.#connection, ...change };
    for (const listener of this.#listeners) listener();
  }

  #drop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#timer = undefined;
    this.#abort?.abort();
    this.#abort = undefined;
    this.#opened = '';
  }

  #schedule(delay: number): void {
    if (this.#isPaused || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#run(), delay);
  }

  async #run(): Promise<void> {
    const views = [...this.#wanted.keys()].sort().slice(0, VIEWS_MAX);
    const key = views.join('\n');
    if (key === this.#opened && this.#abort) return;
    this.#drop();
    if (views.length === 0) return;
    this.#opened = key;
    const abort = new AbortController();
    this.#abort = abort;
    this.#set({ phase: 'opening', retryAt: undefined });
    this.#watch = setInterval(() => {
      const { heardAt, phase } = this.#connection;
      if (phase === 'open' && heardAt !== undefined && this.#hooks.now() - heardAt > DEAD_MS)
        abort.abort('silent');
    }, WATCH_MS);
    try {
      await this.#read(views, abort);
    } catch (error) {
      if ((error as { status?: number }).status === 401) {
        this.#hooks.onUnauthorized();
        return;
      }
    }
    if (this.#abort === abort) this.#wait();
  }

  async #read(views: string[], abort: AbortController): Promise<void> {
    const body = await this.#hooks.open(views, abort.signal);
    const reader = body
      .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
      .getReader();
    const read = eventReader();
    this.#set({ phase: 'open', attempt: 0, heardAt: this.#hooks.now() });
    for (;;) {
      const { done, value } = await reader.read();
      if (done || abort.signal.aborted) return;
      const at = this.#hooks.now();
      const { events } = read(value);
      this.#set({ heardAt: at });
      for (const event of events) this.#hooks.onEvent(event, at);
    }
  }

  #wait(): void {
    const { attempt } = this.#connection;
    const delay = retryDelay(attempt, this.#hooks.draw());
    this.#drop();
    this.#set({ phase: 'waiting', attempt: attempt + 1, retryAt: this.#hooks.now() + delay });
    this.#schedule(delay);
  }
}
