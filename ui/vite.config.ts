import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react()],
  // Relative to `<base>`, so that the page works behind a prefix.
  base: './',
  // The bridge puts a nonce of its own into every answer.
  html: { cspNonce: '__RIALTO_NONCE__' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    // A part whose style could not be fetched would come without it for good.
    cssCodeSplit: false,
    chunkSizeWarningLimit: 700,
    license: { fileName: 'licenses.md' },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}', 'build/**/*.test.ts'],
    setupFiles: ['test/patience.ts'],
    testTimeout: 60_000,
    restoreMocks: true,
  },
});
