import type { ReactNode } from 'react';

function icon(children: ReactNode) {
  return function Icon() {
    return (
      <svg
        viewBox="0 0 16 16"
        width="16"
        height="16"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        focusable="false"
      >
        {children}
      </svg>
    );
  };
}

export const CopyIcon = icon(
  <>
    <rect x="5.500" y="5.500" width="8" height="8" rx="1.500" />
    <path d="M10.500 3.500V3A1.500 1.500 0 0 0 9 1.500H4A1.500 1.500 0 0 0 2.500 3v6A1.500 1.500 0 0 0 4 10.500h.5" />
  </>,
);
export const CheckIcon = icon(<path d="m3 8.500 3.500 3.500L13 5" />);
export const OverviewIcon = icon(
  <>
    <rect x="2" y="2" width="5" height="6" rx="1" />
    <rect x="9" y="2" width="5" height="3.500" rx="1" />
    <rect x="2" y="10.500" width="5" height="3.500" rx="1" />
    <rect x="9" y="8" width="5" height="6" rx="1" />
  </>,
);
export const TopologyIcon = icon(
  <>
    <circle cx="3.500" cy="8" r="1.800" />
    <circle cx="12.500" cy="3.500" r="1.800" />
    <circle cx="12.500" cy="12.500" r="1.800" />
    <path d="m5.200 7.200 5.600-2.900M5.200 8.800l5.600 2.900" />
  </>,
);
export const ServicesIcon = icon(
  <>
    <path d="M2.500 4h11M2.500 8h11M2.500 12h11" />
    <circle cx="5" cy="4" r="1" fill="currentColor" />
    <circle cx="10" cy="8" r="1" fill="currentColor" />
    <circle cx="6.500" cy="12" r="1" fill="currentColor" />
  </>,
);
export const ClustersIcon = icon(
  <>
    <rect x="2" y="2.500" width="12" height="4.500" rx="1" />
    <rect x="2" y="9" width="12" height="4.500" rx="1" />
    <path d="M4.500 4.750h.01M4.500 11.250h.01M8 4.750h3.500M8 11.250h3.500" />
  </>,
);
export const ChangesIcon = icon(
  <>
    <circle cx="8" cy="8" r="6" />
    <path d="M8 4.500V8l2.500 1.500" />
  </>,
);
export const SearchIcon = icon(
  <>
    <circle cx="7" cy="7" r="4.500" />
    <path d="m10.500 10.500 3 3" />
  </>,
);
export const OutIcon = icon(
  <>
    <path d="M6 2.500H3.500a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1H6M10.500 11l3-3-3-3M13.500 8H6" />
  </>,
);
export const KeysIcon = icon(
  <>
    <rect x="1.500" y="4" width="13" height="8" rx="1.500" />
    <path d="M4 6.500h.01M6.700 6.500h.01M9.300 6.500h.01M12 6.500h.01M5 9.500h6" />
  </>,
);
