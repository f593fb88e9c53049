import { expect, test } from 'vitest';
import { difference, lines, specOf } from './documents';

const route = (v1: number, v3: number) => ({
  kind: 'HTTPRoute',
  metadata: { name: 'reviews', namespace: 'books' },
  spec: {
    rules: [
      {
        backendRefs: [
          { name: 'reviews-v1', weight: v1 },
          { name: 'reviews-v3', weight: v3 },
        ],
      },
    ],
    hostnames: [],
  },
});

test('a document reads like YAML', () => {
  expect(lines(route(90, 10)).join('\n')).toBe(`kind: HTTPRoute
metadata:
  name: reviews
  namespace: books
spec:
  rules:
  - backendRefs:
    - name: reviews-v1
      weight: 90
    - name: reviews-v3
      weight: 10
  hostnames: []`);
});

test('only what differs is marked, with a little around it', () => {
  expect(difference(lines(route(90, 10)), lines(route(50, 10)), 1)).toBe(`      - name: reviews-v1
-       weight: 90
+       weight: 50
      - name: reviews-v3`);
  expect(difference(['a'], ['a'])).toBe('');
  expect(difference([], ['a', 'b'])).toBe('+ a\n+ b');
});

test('what the bridge keeps beside a document is no difference', () => {
  const before = { metadata: { generation: 1 }, spec: { drained: false } };
  const after = { metadata: { generation: 2 }, spec: { drained: false } };
  expect(difference(specOf(before), specOf(after))).toBe('');
  expect(specOf(null)).toEqual([]);
});
