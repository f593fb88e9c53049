import { expect, test } from 'vitest';
import { viewPath, views } from './paths';

test('equal wishes give equal paths, in whatever order they were made', () => {
  expect(
    viewPath('services', { search: 'a b', cluster: 'east', health: undefined, sort: '' }),
  ).toBe('services?cluster=east&search=a+b');
  expect(viewPath('services', { cluster: 'east', search: 'a b' })).toBe(
    viewPath('services', { search: 'a b', cluster: 'east' }),
  );
});

test('names are escaped in paths', () => {
  expect(views.service('a/b', 'c?d')).toBe('namespaces/a%2Fb/services/c%3Fd');
});
