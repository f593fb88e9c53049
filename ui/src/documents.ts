// Two documents side by side, as lines. Shows what the API answered; decides nothing.

type Json = unknown;

function scalar(value: Json): string {
  if (typeof value === 'string') return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}

/** Lines in the manner of YAML, in the order of the fields as answered. */
export function lines(value: Json, indent = ''): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((item: Json) => {
      const inner = lines(item, `${indent}  `);
      return [`${indent}- ${(inner[0] ?? '').trimStart()}`, ...inner.slice(1)];
    });
  }
  if (typeof value !== 'object' || value === null) return [`${indent}${scalar(value)}`];
  return Object.entries(value).flatMap(([name, field]: [string, Json]) => {
    if (field === undefined) return [];
    const isWhole = typeof field === 'object' && field !== null && Object.keys(field).length > 0;
    if (!isWhole) return [`${indent}${name}: ${scalar(field)}`];
    return [`${indent}${name}:`, ...lines(field, Array.isArray(field) ? indent : `${indent}  `)];
  });
}

/** What people write of a document; what the bridge keeps beside it changes with every write. */
export function specOf(document: { spec?: Json } | null | undefined): string[] {
  return document ? lines({ spec: document.spec }) : [];
}

/** The longest common lines stay, the rest is marked; long equal runs are left out. */
export function difference(before: string[], after: string[], context = 3): string {
  const rows = before.length;
  const columns = after.length;
  const common = Array.from({ length: rows + 1 }, () => new Uint16Array(columns + 1));
  for (let row = rows - 1; row >= 0; row -= 1) {
    for (let column = columns - 1; column >= 0; column -= 1) {
      common[row]![column] =
        before[row] === after[column]
          ? common[row + 1]![column + 1]! + 1
          : Math.max(common[row + 1]![column]!, common[row]![column + 1]!);
    }
  }
  const marked: string[] = [];
  for (let row = 0, column = 0; row < rows || column < columns;) {
    if (row < rows && column < columns && before[row] === after[column]) {
      marked.push(`  ${before[row]}`);
      row += 1;
      column += 1;
    } else if (
      row < rows &&
      (column === columns || common[row + 1]![column]! >= common[row]![column + 1]!)
    ) {
      marked.push(`- ${before[row]}`);
      row += 1;
    } else {
      marked.push(`+ ${after[column]}`);
      column += 1;
    }
  }
  return shortened(marked, context).join('\n');
}

function shortened(marked: string[], context: number): string[] {
  const isNear = (index: number) => {
    for (
      let near = Math.max(0, index - context);
      near <= Math.min(marked.length - 1, index + context);
      near += 1
    ) {
      if (!marked[near]!.startsWith(' ')) return true;
    }
    return false;
  };
  const kept: string[] = [];
  let left = false;
  marked.forEach((line, index) => {
    if (isNear(index)) {
      if (left && kept.length > 0) kept.push('@@');
      left = false;
      kept.push(line);
    } else left = true;
  });
  return kept;
}
