import { expect, test } from 'vitest';
import { FIRST_SCRIPT_BYTES, findings, firstFiles } from './budget.mjs';

test('the files of a first load are those that the document names', () => {
  const html = `<script type="module" nonce="N" src="./assets/index-a.js"></script>
    <link rel="modulepreload" href="./assets/react-b.js"><link rel="stylesheet" href="./assets/i.css">
    <link rel="icon" href="./assets/mark.svg">`;
  expect([...firstFiles(html)]).toEqual(['assets/index-a.js', 'assets/react-b.js', 'assets/i.css']);
});

test('script of several files is summed before it is judged', () => {
  const half = FIRST_SCRIPT_BYTES / 2;
  const files = [
    { name: 'assets/a.js', gzip: half, first: true },
    { name: 'assets/b.js', gzip: half, first: true },
    { name: 'assets/later.js', gzip: half, first: false },
  ];
  expect(findings(files)).toEqual([]);
  files.push({ name: 'assets/c.js', gzip: 1, first: true });
  expect(findings(files)).toEqual([
    `first load: ${FIRST_SCRIPT_BYTES + 1} bytes of script, at most ${FIRST_SCRIPT_BYTES}`,
  ]);
});
