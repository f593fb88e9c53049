import { expect, test } from 'vitest';
import { withWeight } from './shift';

test('two backends share a whole, more have weights of their own', () => {
  expect(withWeight({ v1: 100, v3: 0 }, 'v3', 30)).toEqual({ v1: 70, v3: 30 });
  expect(withWeight({ v1: 10, v2: 10, v3: 10 }, 'v3', 30)).toEqual({ v1: 10, v2: 10, v3: 30 });
});
