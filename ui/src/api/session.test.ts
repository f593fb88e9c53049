import { expect, test } from 'vitest';
import { takeCode } from './session';

function check(address: string, code: string | undefined, left: string) {
  const place = new URL(address) as unknown as Location;
  let shown = address.replace('http://h', '');
  const history = {
    state: null,
    replaceState: (_: unknown, __: string, path: string) => {
      shown = path;
    },
  } as unknown as History;
  expect(takeCode(place, history)).toBe(code);
  expect(shown).toBe(left);
}

test('a sign-in code leaves the address, and nothing else does', () => {
  check('http://h/services?health=failing#code=abc-1', 'abc-1', '/services?health=failing');
  check('http://h/topology#legend', undefined, '/topology#legend');
});
