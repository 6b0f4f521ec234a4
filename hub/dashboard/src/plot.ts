// One series drawn by uPlot: a line (steps for switches) and a mark on each late reading.
// Draws only when a reading came or the window moved by a pixel.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Series } from './catalogue';
import { formatNumber, formatTime, formatValue, unitSign } from './format';
import { plotWindow, type Range, tickText } from './plot_window';
import { plotted } from './reading';

const FONT = '12px system-ui, sans-serif';

export class Plot {
  private chart: uPlot | undefined;
  private series: Series | undefined;
  private drawnReadings = -1;
  private window: [fromMs: number, toMs: number] = [0, 1];
  private range: Range | undefined;

  constructor(
    private readonly box: HTMLElement,
    /** Told what is under the pointer, or '' when it left. */
    private readonly onPoint: (text: string) => void,
  ) {
    new ResizeObserver(() => this.fit()).observe(box);
  }

  /** Build again at the next `show`, for instance with the other theme's colours. */
  reset(): void {
    this.chart?.destroy();
    this.chart = undefined;
    this.drawnReadings = -1;
  }

  show(series: Series, range: Range, nowMs: number): void {
    if (series !== this.series) {
      this.reset();
      this.series = series;
    }
    const { history } = series;
    if (history.length === 0) return;
    const newest = history.times[history.length - 1]!;
    const next = plotWindow(range, history.times[0]!, newest, nowMs);
    const pixelMs = (next[1] - next[0]) / Math.max(1, this.box.clientWidth);
    const moved = Math.abs(next[1] - this.window[1]) >= pixelMs;
    if (this.chart && series.received === this.drawnReadings && !moved && range === this.range) return;
    this.window = next;
    this.range = range;
    this.drawnReadings = series.received;
    this.chart ??= this.build(series);
    this.chart.setData(this.data(series, next[0]));
  }

  private data(series: Series, fromMs: number): uPlot.AlignedData {
    const { times, values, late } = series.history;
    // One reading before the window, so that the line comes in from the left edge.
    const first = Math.max(0, series.history.firstFrom(fromMs) - 1);
    const xs: number[] = [];
    const ys: (number | null)[] = [];
    const marks: (number | null)[] = [];
    for (let at = first; at < times.length; at += 1) {
      const y = plotted(values[at]!);
      xs.push(times[at]! / 1000);
      ys.push(y);
      marks.push(late[at] ? y : null);
    }
    return [xs, ys, marks];
  }

  private build(series: Series): uPlot {
    const colour = (name: string): string => this.colour(name);
    const isSwitch = typeof series.value === 'boolean';
    const steps = uPlot.paths.stepped?.({ align: 1 });
    const axis: uPlot.Axis = {
      stroke: colour('--ink-2'),
      font: FONT,
      grid: { stroke: colour('--grid'), width: 1 },
      ticks: { show: false },
    };
    return new uPlot(
      {
        width: Math.max(100, this.box.clientWidth),
        height: Math.max(100, this.box.clientHeight),
        padding: [12, 12, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 9 } },
        scales: {
          x: { time: true, range: () => [this.window[0] / 1000, this.window[1] / 1000] },
          y: isSwitch ? { range: () => [-0.15, 1.15] } : { range: (_, low, high) => heights(low, high) },
        },
        axes: [
          {
            ...axis,
            space: 80,
            size: 34,
            values: (_, splits, __, ___, step) => splits.map((split) => tickText(split, step)),
          },
          {
            ...axis,
            size: (_, texts) => 18 + 7 * Math.max(2, ...(texts ?? []).map((text) => text.length)),
            ...(isSwitch ? { splits: () => [0, 1] } : {}),
            values: (_, splits) => splits.map((split) => (isSwitch ? formatValue(split > 0) : tick(split))),
          },
        ],
        series: [
          {},
          {
            stroke: colour('--accent'),
            fill: colour('--accent-veil'),
            width: 2,
            ...(isSwitch && steps ? { paths: steps } : {}),
            points: { show: (_, __, first, last) => last - first < 40, size: 5, fill: colour('--accent') },
          },
          {
            stroke: colour('--late'),
            paths: () => null,
            points: { show: true, size: 9, fill: colour('--late'), stroke: colour('--surface'), width: 1.5 },
          },
        ],
        hooks: { setCursor: [(chart) => this.pointed(chart)] },
      },
      [[], [], []],
      this.box,
    );
  }

  /** The value of one of style.css's colours; a canvas cannot resolve light-dark() itself. */
  private colour(name: string): string {
    this.box.style.color = `var(${name})`;
    const resolved = getComputedStyle(this.box).color;
    this.box.style.color = '';
    return resolved;
  }

  private pointed(chart: uPlot): void {
    const at = chart.cursor.idx;
    const time = at === null || at === undefined ? undefined : chart.data[0][at];
    const series = this.series;
    if (time === undefined || !series || (chart.cursor.left ?? -1) < 0) {
      this.onPoint('');
      return;
    }
    const timeMs = Math.round(time * 1000);
    const index = series.history.firstFrom(timeMs);
    const value = series.history.values[index];
    if (value === undefined) return;
    const late = series.history.late[index] ? ' · arrived late' : '';
    this.onPoint(`${formatTime(timeMs, Date.now())} · ${formatValue(value, series.fractions)} ${unitSign(series.unit)}${late}`);
  }

  private fit(): void {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (width > 0 && height > 0) this.chart?.setSize({ width, height });
  }
}

/** Some air above and below; a constant series lies in the middle. */
function heights(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const span = high - low;
  const air = span > 0 ? span * 0.12 : Math.abs(high) * 0.05 || 1;
  return [low - air, high + air];
}

function tick(value: number): string {
  // Axis steps are round; rounding away 0.30000000000000004 is all they need.
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e6 || size < 1e-3) ? formatNumber(value) : String(Number(value.toPrecision(6)));
}
