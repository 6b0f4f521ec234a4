// The right side: the selected series with its plot, its facts, its newest readings as a table (the
// plot for those who do not see it, and the only view of texts), and the device's other metrics.
import { Cards } from './cards';
import type { Catalogue, Series } from './catalogue';
import { byId, element, setText } from './element';
import { formatAge, formatNumber, formatTime, formatValue, unitSign } from './format';
import { Plot } from './plot';
import { plotWindow, type Range } from './plot_window';
import { plotted } from './reading';

const TABLE_ROWS = 30;
/** Facts and table change at a pace at which they can be read. */
const FACTS_EVERY_MS = 250;

export class Detail {
  private readonly metric = byId('metric', HTMLElement);
  private readonly device = byId('device', HTMLElement);
  private readonly value = byId('value', HTMLElement);
  private readonly unit = byId('unit', HTMLElement);
  private readonly age = byId('age', HTMLElement);
  private readonly point = byId('point', HTMLElement);
  private readonly plotBox = byId('plot', HTMLElement);
  private readonly figure = byId('figure', HTMLElement);
  private readonly noPlot = byId('no-plot', HTMLElement);
  private readonly table = byId('readings', HTMLDetailsElement);
  private readonly tableBody = byId('readings-body', HTMLElement);
  private readonly pauseButton = byId('pause', HTMLButtonElement);
  private readonly facts = ['min', 'mean', 'max', 'count', 'late'].map((name) => byId(`fact-${name}`, HTMLElement));
  private readonly plot = new Plot(this.plotBox, (text) => setText(this.point, text));
  private readonly cards: Cards;
  private series: Series | undefined;
  private range: Range = '10m';
  private pausedMs: number | undefined;
  private factsMs = 0;

  constructor(
    private readonly catalogue: Catalogue,
    private readonly events: { onSelect(series: Series): void; onChange(): void },
  ) {
    this.cards = new Cards(byId('cards-title', HTMLElement), byId('cards', HTMLElement), (other) => events.onSelect(other));
    for (const input of document.querySelectorAll<HTMLInputElement>('input[name="range"]')) {
      if (input.checked) this.range = input.value as Range;
      input.addEventListener('change', () => {
        this.range = input.value as Range;
        this.factsMs = 0;
        events.onChange();
      });
    }
    this.pauseButton.addEventListener('click', () => this.pause(this.pausedMs === undefined));
    this.table.addEventListener('toggle', () => {
      this.factsMs = 0;
      events.onChange();
    });
  }

  themeChanged(): void {
    this.plot.reset();
    this.events.onChange();
  }

  show(series: Series): void {
    this.series = series;
    this.factsMs = 0;
    this.pause(false);
    setText(this.metric, series.metric);
    setText(this.device, series.device);
    setText(this.point, '');
    if (typeof series.value === 'string') this.table.open = true;
  }

  render(nowMs: number): void {
    const series = this.series;
    if (!series) return;
    setText(this.value, formatValue(series.value, series.fractions));
    this.value.classList.toggle('is-text', typeof series.value === 'string');
    setText(this.unit, unitSign(series.unit));
    const isText = typeof series.value === 'string';
    this.plotBox.hidden = isText;
    this.noPlot.hidden = !isText;
    if (!isText && this.pausedMs === undefined) this.plot.show(series, this.range, nowMs);
    this.cards.render(this.catalogue, series);
    if (nowMs - this.factsMs >= FACTS_EVERY_MS) {
      this.factsMs = nowMs;
      this.renderFacts(series, nowMs);
      if (this.table.open) this.renderTable(series, nowMs);
    }
  }

  /** A paused plot stands still to be looked at; values and facts go on. */
  private pause(paused: boolean): void {
    this.pausedMs = paused ? Date.now() : undefined;
    this.pauseButton.setAttribute('aria-pressed', String(paused));
    setText(this.pauseButton, paused ? 'Resume' : 'Pause');
    this.events.onChange();
  }

  private renderFacts(series: Series, nowMs: number): void {
    const { times, values } = series.history;
    const newest = times[times.length - 1] ?? series.timeMs;
    const [from] = plotWindow(this.range, times[0] ?? newest, newest, nowMs);
    let count = 0;
    let sum = 0;
    let low = Infinity;
    let high = -Infinity;
    const first = series.history.firstFrom(from);
    for (let at = first; at < times.length; at += 1) {
      const height = plotted(values[at]!);
      if (height === null) continue;
      count += 1;
      sum += height;
      low = Math.min(low, height);
      high = Math.max(high, height);
    }
    const isNumber = typeof series.value === 'number' && count > 0;
    const [min, mean, max, readings, late] = this.facts;
    setText(min!, isNumber ? formatNumber(low, series.fractions) : '–');
    setText(mean!, isNumber ? formatNumber(sum / count, series.fractions) : '–');
    setText(max!, isNumber ? formatNumber(high, series.fractions) : '–');
    setText(readings!, String(times.length - first));
    setText(late!, String(series.late));
    late!.classList.toggle('is-late', series.late > 0);
    setText(this.age, `${formatTime(series.timeMs, nowMs)} · ${ageText(nowMs - series.timeMs)}`);
    const summary = isNumber
      ? `Plot of ${series.metric} of ${series.device}: newest ${formatValue(series.value, series.fractions)} ${unitSign(series.unit)}, ` +
        `between ${formatNumber(low, series.fractions)} and ${formatNumber(high, series.fractions)}.`
      : `${series.metric} of ${series.device}: newest ${formatValue(series.value, series.fractions)}.`;
    this.figure.setAttribute('aria-label', summary);
  }

  private renderTable(series: Series, nowMs: number): void {
    const { times, values, late } = series.history;
    const rows: HTMLElement[] = [];
    for (let at = times.length - 1; at >= Math.max(0, times.length - TABLE_ROWS); at -= 1) {
      rows.push(
        element(
          'tr',
          late[at] ? 'is-late' : '',
          element('td', '', formatTime(times[at]!, nowMs)),
          element('td', 'number', `${formatValue(values[at]!, series.fractions)} ${unitSign(series.unit)}`),
          element('td', '', late[at] ? 'late' : ''),
        ),
      );
    }
    this.tableBody.replaceChildren(...rows);
  }
}

function ageText(ageMs: number): string {
  const age = formatAge(ageMs);
  return age === 'now' ? 'now' : `${age} ago`;
}
