import { expect, test } from 'vitest';
import { age, bytesPerSecond, callerName, milliseconds, perSecond, share } from './format';

function check<T>(format: (value: T) => string, cases: [T, string][]) {
  for (const [value, text] of cases) expect(format(value), String(value)).toBe(text);
}

test('rates have three digits and a unit', () => {
  check(perSecond, [
    [0, '0/s'],
    [0.004, '<0.01/s'],
    [0.5, '0.5/s'],
    [3.14159, '3.14/s'],
    [42.04, '42/s'],
    [42.06, '42.1/s'],
    [99.96, '100/s'],
    [999.7, '1k/s'],
    [1234, '1.23k/s'],
    [2_500_000, '2.5M/s'],
  ]);
  check(bytesPerSecond, [
    [0, '0 B/s'],
    [1536, '1.54 kB/s'],
    [31_000_000, '31 MB/s'],
  ]);
});

test('shares never round something to nothing or to all', () => {
  check(share, [
    [0, '0 %'],
    [0.0001, '<0.1 %'],
    [0.004, '0.4 %'],
    [0.0995, '10 %'],
    [0.5, '50 %'],
    [0.998, '>99 %'],
    [1, '100 %'],
  ]);
});

test('times read as people say them', () => {
  check(milliseconds, [
    [0.3, '<1 ms'],
    [2.04, '2 ms'],
    [2.06, '2.1 ms'],
    [38.4, '38 ms'],
    [999.6, '1 s'],
    [1250, '1.25 s'],
  ]);
  check(age, [
    [0, '0 s'],
    [1499, '1 s'],
    [59_000, '59 s'],
    [60_000, '1 min'],
    [7_300_000, '2 h'],
    [200_000_000, '2 d'],
  ]);
});

test('a caller is told as services are', () => {
  expect(callerName('spiffe://east.rialto/ns/books/sa/storefront')).toBe('books/storefront');
  expect(callerName('spiffe://east.rialto/rialto/gateway/gw-1')).toBe(
    'spiffe://east.rialto/rialto/gateway/gw-1',
  );
  expect(callerName(null)).toBe('no identity');
});
