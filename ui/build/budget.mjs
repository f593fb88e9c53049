// How much script and style a first load may fetch, and a later one. Sizes are after gzip -9.

export const FIRST_SCRIPT_BYTES = 200 * 1024;
export const FIRST_STYLE_BYTES = 25 * 1024;
export const LATER_SCRIPT_BYTES = 160 * 1024;

/**
 * The files that index.html asks for at once.
 * @param {string} html
 */
export function firstFiles(html) {
  const found = [...html.matchAll(/(?:src|href)="\.?\/?(assets\/[^"]+\.(?:js|css))"/g)];
  return new Set(found.map((match) => match[1]));
}

/**
 * What is over budget, one line each.
 * @param {{ name: string, gzip: number, first: boolean }[]} files
 */
export function findings(files) {
  /** @param {(file: { name: string, gzip: number, first: boolean }) => boolean} fits */
  const sum = (fits) => files.filter(fits).reduce((total, file) => total + file.gzip, 0);
  const script = sum((file) => file.first && file.name.endsWith('.js'));
  const style = sum((file) => file.first && file.name.endsWith('.css'));
  const lines = [];
  if (script > FIRST_SCRIPT_BYTES) {
    lines.push(`first load: ${script} bytes of script, at most ${FIRST_SCRIPT_BYTES}`);
  }
  if (style > FIRST_STYLE_BYTES) {
    lines.push(`first load: ${style} bytes of style, at most ${FIRST_STYLE_BYTES}`);
  }
  for (const file of files) {
    if (!file.first && file.name.endsWith('.js') && file.gzip > LATER_SCRIPT_BYTES) {
      lines.push(`${file.name}: ${file.gzip} bytes, at most ${LATER_SCRIPT_BYTES}`);
    }
  }
  return lines;
}
