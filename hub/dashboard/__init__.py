"""The hub's web page: TypeScript in src/, built by Vite into dist/, which hub.http.dashboard serves.

`python -m hub.dashboard.build` builds it. How its parts hang together: src/main.ts.
"""
