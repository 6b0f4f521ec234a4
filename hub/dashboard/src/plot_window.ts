// Which stretch of device time the plot shows. Pure.

export type Range = '1m' | '10m' | 'all';

export const RANGE_MS: Record<Exclude<Range, 'all'>, number> = { '1m': 60_000, '10m': 600_000 };

/** The plot of a series heard of just now: it fills from the right, and then grows up to its range. */
const SHORTEST_MS = 20_000;

/** A device whose newest time is this near to ours is live: the plot then moves with the clock. */
const LIVE_MS = 15_000;

/**
 * Return [from, to] in milliseconds. Replayed or wrong clocks are anchored at their newest reading:
 * a window up to our "now" would be empty for them.
 */
export function plotWindow(range: Range, firstMs: number, newestMs: number, nowMs: number): [number, number] {
  const live = Math.abs(nowMs - newestMs) < LIVE_MS;
  const to = live ? Math.max(newestMs, nowMs) : newestMs;
  const longest = range === 'all' ? Infinity : RANGE_MS[range];
  return [to - Math.min(longest, Math.max(SHORTEST_MS, to - firstMs)), to];
}

/** The text of one tick of the time axis; `stepS` is the distance of two ticks. */
export function tickText(timeS: number, stepS: number): string {
  const time = new Date(timeS * 1000);
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  if (stepS >= 86_400) return day;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
  if (stepS >= 60) return clock === '00:00' ? `${clock}\n${day}` : clock;
  const seconds = `${clock}:${two(time.getSeconds())}`;
  return stepS >= 1 ? seconds : `${seconds}.${String(time.getMilliseconds()).padStart(3, '0').slice(0, 1)}`;
}
