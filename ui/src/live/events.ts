// Server-sent events out of a byte stream. Read here and not by EventSource, because that hides
// the heartbeats (comments) by which a page tells silence from death, and the status of a refusal.

export interface StreamEvent {
  name: string;
  data: string;
}
export interface Parsed {
  events: StreamEvent[];
  heartbeats: number;
}

/** A reader that keeps what is not whole yet. At most `limit` characters are kept. */
export function eventReader(limit = 16 * 1024 * 1024) {
  let kept = '';
  let name = '';
  let data: string[] = [];
  return (chunk: string): Parsed => {
    kept += chunk;
    if (kept.length > limit) throw new Error('an event larger than the page accepts');
    const parsed: Parsed = { events: [], heartbeats: 0 };
    let start = 0;
    for (let end = kept.indexOf('\n', start); end !== -1; end = kept.indexOf('\n', start)) {
      const line = kept.slice(start, end).replace(/\r$/, '');
      start = end + 1;
      if (line === '') {
        if (data.length > 0) parsed.events.push({ name: name || 'message', data: data.join('\n') });
        name = '';
        data = [];
      } else if (line.startsWith(':')) {
        parsed.heartbeats += 1;
      } else {
        const colon = line.indexOf(':');
        const field = colon === -1 ? line : line.slice(0, colon);
        const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
        if (field === 'event') name = value;
        if (field === 'data') data.push(value);
      }
    }
    kept = kept.slice(start);
    return parsed;
  };
}
