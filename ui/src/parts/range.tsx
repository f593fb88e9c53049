// How far back figures look. Kept in the address, so that a link shows the same.

import { SegmentedControl } from '@mantine/core';
import { RANGES, type Range } from '../api/paths';

/** What the API looks at without being told. */
const USUAL = { value: 'usual', label: '30 s' };
const NAMES: Record<Range, string> = { '1m': '1 min', '5m': '5 min' };

export function RangeChoice({
  value,
  onChoose,
}: {
  value: Range | undefined;
  onChoose: (over: Range | undefined) => void;
}) {
  return (
    <SegmentedControl
      size="xs"
      aria-label="Time that rates are of"
      value={value ?? USUAL.value}
      onChange={(chosen) => onChoose(RANGES.find((range) => range === chosen))}
      data={[USUAL, ...RANGES.map((range) => ({ value: range, label: NAMES[range] }))]}
    />
  );
}
