import { describe, expect, test } from 'vitest';
import { eventReader } from './events';

const TEXT =
  ': beat\n\nevent: view\ndata: {"a":\ndata: 1}\n\nevent: problem\r\ndata: {}\r\n\r\ndata: x\n\n';
const EVENTS = [
  { name: 'view', data: '{"a":\n1}' },
  { name: 'problem', data: '{}' },
  { name: 'message', data: 'x' },
];

describe('events out of a stream', () => {
  test('whole', () => {
    expect(eventReader()(TEXT)).toEqual({ events: EVENTS, heartbeats: 1 });
  });

  test('cut anywhere, the same events come out', () => {
    for (let cut = 0; cut <= TEXT.length; cut += 1) {
      const read = eventReader();
      const first = read(TEXT.slice(0, cut));
      const second = read(TEXT.slice(cut));
      expect([...first.events, ...second.events]).toEqual(EVENTS);
      expect(first.heartbeats + second.heartbeats).toBe(1);
    }
  });

  test('what never ends is refused', () => {
    expect(() => eventReader(10)('data: 0123456789')).toThrow(/larger/);
  });
});
