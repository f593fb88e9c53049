import { expect, test } from 'vitest';
import { type Press, meaning } from './keys';

const BOUND = ['/', '?', 'g o', 'g s', 't'];

function check(
  press: Partial<Press> & { key: string },
  before: string | undefined,
  expected: string | undefined,
) {
  expect(
    meaning({ isTyping: false, isModified: false, isInDialog: false, ...press }, before, BOUND),
  ).toBe(expected);
}

test('single keys and pairs', () => {
  check({ key: '/' }, undefined, '/');
  check({ key: 'o' }, 'g', 'g o');
  check({ key: 'o' }, undefined, undefined);
  check({ key: 'o' }, 'x', undefined);
  check({ key: 't' }, 'g', 't');
});

test('keys are silent where text is typed, with modifiers and behind dialogs', () => {
  check({ key: '/', isTyping: true }, undefined, undefined);
  check({ key: '/', isModified: true }, undefined, undefined);
  check({ key: '/', isInDialog: true }, undefined, undefined);
});
