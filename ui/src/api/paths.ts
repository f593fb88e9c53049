// Paths of views: the part after /api/v1/views/, with its query. Equal wishes give equal paths,
// because the path is the key under which a view is kept and streamed.

export type Wishes = Record<string, string | number | undefined>;

export function viewPath(path: string, wishes: Wishes = {}): string {
  const query = new URLSearchParams();
  for (const name of Object.keys(wishes).sort()) {
    const value = wishes[name];
    if (value !== undefined && value !== '') query.set(name, String(value));
  }
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** How far back figures look, as the API writes it. */
export const RANGES = ['1m', '5m'] as const;
export type Range = (typeof RANGES)[number];

export const views = {
  overview: (over?: Range) => viewPath('overview', { over }),
  services: (wishes: Wishes) => viewPath('services', wishes),
  service: (namespace: string, name: string, over?: Range) =>
    viewPath(`namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(name)}`, {
      over,
    }),
  clusters: (over?: Range) => viewPath('clusters', { over }),
  cluster: (name: string, over?: Range) =>
    viewPath(`clusters/${encodeURIComponent(name)}`, { over }),
  topology: (wishes: Wishes) => viewPath('topology', wishes),
  changes: (wishes: Wishes) => viewPath('changes', wishes),
};
