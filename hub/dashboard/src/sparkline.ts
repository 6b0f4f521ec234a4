// The small line in a list row or a card: the last readings of a series, without axes.
import { svg } from './element';
import type { History } from './history';
import { plotted } from './reading';

const WIDTH = 72;
const HEIGHT = 22;
const POINTS = 36;

export class Sparkline {
  private readonly line = svg('polyline', { class: 'spark-line' });
  readonly node = svg(
    'svg',
    { class: 'spark', viewBox: `0 -1 ${WIDTH} ${HEIGHT + 2}`, 'aria-hidden': 'true', preserveAspectRatio: 'none' },
    this.line,
  );
  private drawn = '';

  show(history: History): void {
    const points = sparkPoints(history);
    if (points === this.drawn) return;
    this.drawn = points;
    this.line.setAttribute('points', points);
  }
}

/** The `points` attribute for the last readings; empty for texts and single readings. */
export function sparkPoints(history: History): string {
  const start = Math.max(0, history.length - POINTS);
  const heights: number[] = [];
  for (let at = start; at < history.length; at += 1) {
    const height = plotted(history.values[at]!);
    if (height !== null && Number.isFinite(height)) heights.push(height);
  }
  if (heights.length < 2) return '';
  const low = Math.min(...heights);
  const span = Math.max(...heights) - low;
  const step = WIDTH / (heights.length - 1);
  return heights
    .map((height, at) => {
      // A constant series is a line in the middle, not on the floor.
      const y = span > 0 ? HEIGHT - ((height - low) / span) * HEIGHT : HEIGHT / 2;
      return `${(at * step).toFixed(1)},${y.toFixed(1)}`;
    })
    .join(' ');
}
