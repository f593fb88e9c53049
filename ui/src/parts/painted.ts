// What a page shows at once, and what it draws when that is on the screen: an input waits for the
// next picture, and nothing that is not needed for it may be in its way.

import { startTransition, useEffect, useState } from 'react';

/** False in a part's first picture, true once that is painted. */
export function usePainted(): boolean {
  const [isPainted, setPainted] = useState(false);
  useEffect(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => startTransition(() => setPainted(true));
    // A task that is sent in a frame's callback runs after that frame.
    const frame = requestAnimationFrame(() => channel.port2.postMessage(undefined));
    return () => {
      cancelAnimationFrame(frame);
      channel.port1.close();
    };
  }, []);
  return isPainted;
}
