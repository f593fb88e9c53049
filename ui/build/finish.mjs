// After the build: compressed forms beside each file, and the check of the budget.

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { findings, firstFiles } from './budget.mjs';

const dist = new URL('../dist/', import.meta.url);
const first = firstFiles(readFileSync(new URL('index.html', dist), 'utf8'));
/** @type {{ name: string, gzip: number, first: boolean }[]} */
const files = [];
for (const name of readdirSync(new URL('assets/', dist)).sort()) {
  if (!/\.(js|css|svg)$/.test(name)) continue;
  const path = new URL(`assets/${name}`, dist);
  const bytes = readFileSync(path);
  const gzip = gzipSync(bytes, { level: 9 });
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  const brotli = brotliCompressSync(bytes, { params });
  writeFileSync(`${path.pathname}.gz`, gzip);
  writeFileSync(`${path.pathname}.br`, brotli);
  const file = { name: `assets/${name}`, gzip: gzip.length, first: first.has(`assets/${name}`) };
  files.push(file);
  console.log(
    `${file.first ? 'first' : 'later'} ${String(gzip.length).padStart(7)} gzip ${String(brotli.length).padStart(7)} br  ${name}`,
  );
}
/** @param {string} ending */
const sum = (ending) =>
  files
    .filter((file) => file.first && file.name.endsWith(ending))
    .reduce((total, file) => total + file.gzip, 0);
console.log(`first load: ${sum('.js')} bytes of script, ${sum('.css')} of style, after gzip`);
const lines = findings(files);
for (const line of lines) console.error(`over budget: ${line}`);
process.exitCode = lines.length === 0 ? 0 : 1;
