import { expect, it } from 'vitest';
import { backoffMs } from './backoff';
import { RateMeter } from './rate';

it('RateMeter gives the mean over the last full seconds', () => {
  const rate = new RateMeter();
  for (let ms = 0; ms < 10_000; ms += 20) rate.add(ms);
  expect(rate.perSecond(10_000)).toBe(50);
});

it('RateMeter falls to zero when nothing comes', () => {
  const rate = new RateMeter();
  for (let ms = 0; ms < 3_000; ms += 100) rate.add(ms);
  expect(rate.perSecond(4_000)).toBeGreaterThan(0);
  expect(rate.perSecond(60_000)).toBe(0);
});

it('backoffMs doubles up to a bound, within its jitter', () => {
  expect([0, 1, 2, 3].map((attempt) => backoffMs(attempt, 0))).toEqual([250, 500, 1000, 2000]);
  expect(backoffMs(1000, 0.999_999)).toBeLessThanOrEqual(20_000);
});
