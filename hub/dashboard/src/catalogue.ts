// Every series the page has heard of: newest value, counts, recent history.
// Bounded: SERIES_MAX series, and a short history for each but the few that were looked at last.
import { History } from './history';
import type { Reading, Value } from './reading';

/** Names come from devices; a faulty one that invents names must not fill the browser's memory. */
export const SERIES_MAX = 20_000;
/** Enough for the small line in the list and a plot that is not empty when first opened. */
export const SHORT_HISTORY = 240;
/** Twenty minutes at the four readings a second that the page asks for. */
export const LONG_HISTORY = 5_000;
const LONG_HISTORIES = 8;

export class Series {
  readonly history = new History(SHORT_HISTORY);
  value: Value;
  timeMs: number;
  arrivedMs: number;
  unit: string;
  /** Has it ever sent a number with a fraction? */
  fractions = false;
  received = 0;
  late = 0;
  /** Was the newest to arrive a late one? */
  lastWasLate = false;

  constructor(
    readonly key: string,
    readonly device: string,
    readonly metric: string,
    first: Reading,
    nowMs: number,
  ) {
    this.value = first.value;
    this.timeMs = first.timeMs;
    this.unit = first.unit;
    this.arrivedMs = nowMs;
  }

  /** Newest is by device time: a late reading is counted and plotted but is not the newest value. */
  accept(reading: Reading, nowMs: number): void {
    this.received += 1;
    this.arrivedMs = nowMs;
    this.lastWasLate = reading.late;
    if (reading.late) this.late += 1;
    if (typeof reading.value === 'number' && !Number.isInteger(reading.value)) this.fractions = true;
    if (reading.timeMs >= this.timeMs) {
      this.value = reading.value;
      this.timeMs = reading.timeMs;
      if (reading.unit) this.unit = reading.unit;
    }
    this.history.add(reading.timeMs, reading.value, reading.late);
  }
}

export type Row =
  | { kind: 'device'; device: string; count: number }
  | { kind: 'series'; series: Series; position: number };

const order = new Intl.Collator('en', { numeric: true });

function compare(a: Series, b: Series): number {
  return order.compare(a.device, b.device) || order.compare(a.metric, b.metric) || (a.key < b.key ? -1 : 1);
}

/** The key of a series; encoding keeps "a/b" + "c" and "a" + "b/c" apart, and fits an address's fragment. */
export function seriesKey(device: string, metric: string): string {
  return `${encodeName(device)}/${encodeName(metric)}`;
}

function encodeName(name: string): string {
  // encodeURIComponent throws on half a surrogate pair, which JSON can carry.
  return encodeURIComponent(name.replace(/\p{Surrogate}/gu, '\ufffd'));
}

export class Catalogue {
  private readonly byDevice = new Map<string, Map<string, Series>>();
  private readonly byKey = new Map<string, Series>();
  private ordered: Series[] = [];
  private arrivals: Series[] = [];
  private long: Series[] = [];
  /** Grows when series are added. */
  version = 0;
  /** Readings of series beyond SERIES_MAX, which are not shown. */
  unlisted = 0;

  get size(): number {
    return this.byKey.size;
  }

  get devices(): number {
    return this.byDevice.size;
  }

  get(key: string): Series | undefined {
    return this.byKey.get(key);
  }

  accept(reading: Reading, nowMs: number): Series | null {
    const series = this.byDevice.get(reading.device)?.get(reading.metric) ?? this.add(reading, nowMs);
    series?.accept(reading, nowMs);
    return series;
  }

  /** Keep a long history of `series`; those looked at longest ago go back to a short one. */
  watch(series: Series): void {
    this.long = [series, ...this.long.filter((other) => other !== series)];
    series.history.resize(LONG_HISTORY);
    for (const old of this.long.splice(LONG_HISTORIES)) old.history.resize(SHORT_HISTORY);
  }

  /** The other metrics of a device, in order. */
  metricsOf(device: string): Series[] {
    return [...(this.byDevice.get(device)?.values() ?? [])].sort(compare);
  }

  /** Devices and their metrics in natural order; every word of `query` must occur in device or metric. */
  rows(query: string): Row[] {
    if (this.arrivals.length > 0) {
      // The engine's sort merges ordered runs, so sorting the few first keeps this linear in the many.
      this.ordered = this.ordered.concat(this.arrivals.sort(compare)).sort(compare);
      this.arrivals = [];
    }
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const rows: Row[] = [];
    let head: Extract<Row, { kind: 'device' }> | undefined;
    let position = 0;
    for (const series of this.ordered) {
      if (words.length > 0) {
        const text = `${series.device} ${series.metric}`.toLowerCase();
        if (!words.every((word) => text.includes(word))) continue;
      }
      if (head?.device !== series.device) {
        head = { kind: 'device', device: series.device, count: 0 };
        rows.push(head);
      }
      head.count += 1;
      position += 1;
      rows.push({ kind: 'series', series, position });
    }
    return rows;
  }

  private add(reading: Reading, nowMs: number): Series | null {
    if (this.byKey.size >= SERIES_MAX) {
      this.unlisted += 1;
      return null;
    }
    const { device, metric } = reading;
    let metrics = this.byDevice.get(device);
    if (!metrics) this.byDevice.set(device, (metrics = new Map()));
    const series = new Series(seriesKey(device, metric), device, metric, reading, nowMs);
    metrics.set(metric, series);
    this.byKey.set(series.key, series);
    this.arrivals.push(series);
    this.version += 1;
    return series;
  }
}
