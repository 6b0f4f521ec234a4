import { describe, expect, it } from 'vitest';
import { plotWindow, tickText } from './plot_window';

const NOW = 1_000_000_000;

describe('plotWindow', () => {
  it('moves with the clock while the series is live', () => {
    expect(plotWindow('1m', NOW - 900_000, NOW - 2_000, NOW)).toEqual([NOW - 60_000, NOW]);
  });

  it('is anchored at the newest reading of a replayed or stopped series', () => {
    const old = NOW - 86_400_000;
    expect(plotWindow('10m', old - 900_000, old, NOW)).toEqual([old - 600_000, old]);
  });

  it('shows what there is while that is shorter than the range', () => {
    expect(plotWindow('10m', NOW - 90_000, NOW, NOW)).toEqual([NOW - 90_000, NOW]);
    expect(plotWindow('all', NOW - 7_000_000, NOW, NOW)).toEqual([NOW - 7_000_000, NOW]);
  });

  it('has a width even for a single reading', () => {
    expect(plotWindow('all', NOW, NOW, NOW)).toEqual([NOW - 20_000, NOW]);
  });

  it('includes readings of a clock that runs a little ahead', () => {
    expect(plotWindow('1m', NOW - 900_000, NOW + 3_000, NOW)[1]).toBe(NOW + 3_000);
  });
});

describe('tickText', () => {
  const noon = new Date(2026, 10, 20, 12, 5, 7).getTime() / 1000;

  it('has the digits that its step needs', () => {
    expect([0.5, 5, 60, 86_400].map((step) => tickText(noon, step))).toEqual([
      '12:05:07.0',
      '12:05:07',
      '12:05',
      '2026-11-20',
    ]);
  });
});
