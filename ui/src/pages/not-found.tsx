import { Link } from '@tanstack/react-router';
import { PageHead } from '../parts/shell';

export function NotFound() {
  return (
    <>
      <PageHead name="Not found" title="There is no page at this address" />
      <p>
        Press <kbd>/</kbd> to jump to a service or cluster, or go to the{' '}
        <Link to="/">overview</Link>.
      </p>
    </>
  );
}
