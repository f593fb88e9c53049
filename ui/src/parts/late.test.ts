import { expect, test } from 'vitest';
import { PartMissing, fetchParts, insist, late } from './late';

/** A bridge that is there as the list says, and then stays as at its end. */
function around(...there: boolean[]) {
  const waits: number[] = [];
  return {
    waits,
    answers: () => Promise.resolve((there.length > 1 ? there.shift() : there[0]) ?? false),
    wait: (ms: number) => {
      waits.push(ms);
      return Promise.resolve();
    },
  };
}

function failing(times: number) {
  let calls = 0;
  return () => {
    calls += 1;
    return calls > times ? Promise.resolve('part') : Promise.reject(new Error(`failure ${calls}`));
  };
}

test('a part is asked for until the bridge is back', async () => {
  const bridge = around(false);
  expect(await insist(failing(20), bridge)).toBe('part');
  expect(bridge.waits).toHaveLength(20);
});

test('a bridge that comes back between the part and the question is asked once more', async () => {
  expect(await insist(failing(2), around(false, true))).toBe('part');
});

test('a part that a bridge twice does not have is of another version', async () => {
  await expect(insist(failing(9), around(true))).rejects.toThrow(PartMissing);
});

test('parts that parts bring are fetched too, and one that fails ends nothing', async () => {
  const fetched: string[] = [];
  late(() => Promise.reject(new Error('away')));
  late(() => {
    late(() => Promise.resolve(fetched.push('inner')));
    return Promise.resolve(fetched.push('outer'));
  });
  await fetchParts();
  expect(fetched).toEqual(['outer', 'inner']);
});
