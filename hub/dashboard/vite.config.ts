// How the page is built: hashed files under assets/, nothing inline, so that
// `Content-Security-Policy: default-src 'self'` holds without exceptions.
import { defineConfig } from 'vitest/config';

const HUB = 'http://127.0.0.1:8080';

export default defineConfig({
  base: './',
  build: {
    // The first browsers with light-dark(); an older target would have it rewritten.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    // A data: URI is not 'self'.
    assetsInlineLimit: 0,
    // One script: no preload helper to ship, nothing to wait for twice.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // `npm run dev` serves the sources; readings come from a hub on its default port.
  server: { proxy: { '/ws': { target: HUB, ws: true } } },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
});
