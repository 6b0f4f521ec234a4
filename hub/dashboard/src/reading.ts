// One reading as the hub publishes it on /topic/readings/<device>/<metric>.
// Everything here comes from devices and is not trusted: wrong shapes are refused, long names are cut
// by the page's style, and no text of it ever becomes markup.

export type Value = number | string | boolean;

export interface Reading {
  device: string;
  metric: string;
  /** Device time, milliseconds since 1970. */
  timeMs: number;
  value: Value;
  /** UCUM code, empty when the device named none. */
  unit: string;
  /** True when its time is behind one the hub had already seen for the series. */
  late: boolean;
}

/** Return the reading in `body`, or null when it is not one. */
export function parseReading(body: string): Reading | null {
  let fields: unknown;
  try {
    fields = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof fields !== 'object' || fields === null) return null;
  const { device, metric, t, v, unit, late } = fields as Record<string, unknown>;
  if (typeof device !== 'string' || typeof metric !== 'string' || typeof t !== 'string') return null;
  if (typeof v !== 'number' && typeof v !== 'string' && typeof v !== 'boolean') return null;
  const timeMs = Date.parse(t);
  if (Number.isNaN(timeMs)) return null;
  return { device, metric, timeMs, value: v, unit: typeof unit === 'string' ? unit : '', late: late === true };
}

/** What a value is on a plot: switches are 0 and 1, texts have no height. */
export function plotted(value: Value): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'boolean' ? Number(value) : null;
}
