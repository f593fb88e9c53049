// However long a busy machine takes for a frame: the libraries give up after a second.

import { configure } from '@testing-library/react';

configure({ asyncUtilTimeout: 30_000 });
