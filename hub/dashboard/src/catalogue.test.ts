import { describe, expect, it } from 'vitest';
import { Catalogue, LONG_HISTORY, SERIES_MAX, SHORT_HISTORY, seriesKey } from './catalogue';
import type { Reading } from './reading';

function reading(device: string, metric: string, timeMs = 0, more: Partial<Reading> = {}): Reading {
  return { device, metric, timeMs, value: 1, unit: '', late: false, ...more };
}

function names(catalogue: Catalogue, query = ''): string[] {
  return catalogue.rows(query).map((row) => (row.kind === 'device' ? row.device : `  ${row.series.metric}`));
}

describe('Catalogue', () => {
  it('lists devices and metrics in natural order, whenever they came', () => {
    const catalogue = new Catalogue();
    catalogue.accept(reading('press-10', 'b'), 0);
    catalogue.accept(reading('press-9', 'b'), 0);
    expect(names(catalogue)).toEqual(['press-9', '  b', 'press-10', '  b']);
    catalogue.accept(reading('press-9', 'a'), 0);
    expect(names(catalogue)).toEqual(['press-9', '  a', '  b', 'press-10', '  b']);
  });

  it('finds by every word, in device or metric', () => {
    const catalogue = new Catalogue();
    catalogue.accept(reading('Press-1', 'temperature'), 0);
    catalogue.accept(reading('Press-1', 'pressure'), 0);
    catalogue.accept(reading('oven-1', 'temperature'), 0);
    expect(names(catalogue, 'press TEMP')).toEqual(['Press-1', '  temperature']);
    expect(names(catalogue, 'nothing')).toEqual([]);
  });

  it('keeps the value that is newest by device time', () => {
    const catalogue = new Catalogue();
    catalogue.accept(reading('a', 'b', 2000, { value: 2, unit: 'Cel' }), 0);
    const series = catalogue.accept(reading('a', 'b', 1000, { value: 1, late: true }), 0);
    expect(series).toMatchObject({ value: 2, timeMs: 2000, unit: 'Cel', late: 1, received: 2, lastWasLate: true });
    expect(series?.history.values).toEqual([1, 2]);
  });

  it('holds a bounded number of series and counts what it does not show', () => {
    const catalogue = new Catalogue();
    for (let at = 0; at < SERIES_MAX + 3; at += 1) catalogue.accept(reading(`d${at}`, 'm'), 0);
    expect([catalogue.size, catalogue.unlisted]).toEqual([SERIES_MAX, 3]);
  });

  it('keeps long histories only for the series looked at last', () => {
    const catalogue = new Catalogue();
    const fill = (device: string): void => {
      for (let at = 0; at < LONG_HISTORY; at += 1) catalogue.accept(reading(device, 'm', at), 0);
    };
    const watch = (device: string): void => catalogue.watch(catalogue.get(seriesKey(device, 'm'))!);
    catalogue.accept(reading('first', 'm'), 0);
    watch('first');
    fill('first');
    expect(catalogue.get('first/m')?.history.length).toBe(LONG_HISTORY);
    for (let at = 0; at < 8; at += 1) {
      catalogue.accept(reading(`other${at}`, 'm'), 0);
      watch(`other${at}`);
    }
    expect(catalogue.get('first/m')?.history.length).toBe(SHORT_HISTORY);
  });

  it('tells apart names with slashes and survives half a surrogate pair', () => {
    expect(seriesKey('a/b', 'c')).not.toBe(seriesKey('a', 'b/c'));
    expect(seriesKey('\ud83d', 'c')).toBe('%EF%BF%BD/c');
  });
});
