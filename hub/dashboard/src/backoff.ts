// How long to wait before the next attempt to connect: doubling, bounded, with jitter, so that a
// restarted hub does not meet all its pages in the same second.

const FIRST_MS = 500;
const MAX_MS = 20_000;

/** Milliseconds before attempt number `attempt` (0 = the first retry); `random` is in [0, 1). */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling * (0.5 + random / 2));
}
