// How values, units, ages and times are written. Pure.
import type { Value } from './reading';

// UCUM codes (and what fleets send instead of them) whose usual sign differs. ucum.org, table of units.
const SIGNS: Record<string, string> = {
  Cel: '°C',
  '[degF]': '°F',
  deg: '°',
  '1': '',
  '{count}': '',
  'm/s2': 'm/s²',
  'm2': 'm²',
  'm3': 'm³',
  'm3/h': 'm³/h',
  Ohm: 'Ω',
  ug: 'µg',
  um: 'µm',
  us: 'µs',
  'ug/m3': 'µg/m³',
  '%RH': '% RH',
  '[ppm]': 'ppm',
  '[ppb]': 'ppb',
  'dB[SPL]': 'dB',
  '/min': 'rpm',
  'kW.h': 'kWh',
  'W.h': 'Wh',
};

export function unitSign(unit: string): string {
  return SIGNS[unit] ?? unit;
}

/**
 * About five significant digits: enough to see a change, short enough for a column.
 * A series that has `fractions` shows them on its whole numbers too: 24.98, 25.00 and not 25.
 */
export function formatValue(value: Value, fractions = false): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'string') return value;
  return formatNumber(value, fractions);
}

export function formatNumber(value: number, fractions = false): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-3)) return value.toExponential(3).replace('e+', 'e');
  if (size >= 1e5) return groups(value.toFixed(0));
  // Two decimals from 10 on, more for small values: 21.50, 3.142, 0.0123.
  const decimals = size >= 1000 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4;
  if (Number.isInteger(value) && !fractions) return groups(String(value));
  return groups(value.toFixed(decimals));
}

/** Thin spaces between thousands: readable, and no comma that might be a decimal sign. */
function groups(digits: string): string {
  const [whole = '', fraction] = digits.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

export function formatRate(perSecond: number): string {
  return perSecond >= 100 ? groups(perSecond.toFixed(0)) : perSecond.toFixed(perSecond >= 10 ? 0 : 1);
}

const STEPS: [seconds: number, sign: string][] = [
  [365 * 86_400, 'y'],
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** Age of a device time; "now" below two seconds, and also for clocks that run ahead. */
export function formatAge(ageMs: number): string {
  const seconds = ageMs / 1000;
  if (seconds < 2) return 'now';
  for (const [size, sign] of STEPS) if (seconds >= size) return `${Math.floor(seconds / size)} ${sign}`;
  return 'now';
}

/** Local time with milliseconds; the day too when it is not today. */
export function formatTime(timeMs: number, nowMs: number): string {
  const time = new Date(timeMs);
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, '0')}`;
  if (time.toDateString() === new Date(nowMs).toDateString()) return clock;
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
