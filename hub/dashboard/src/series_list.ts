// The list of devices and metrics: a listbox that holds only the rows one can see, so that 5,000
// series scroll and update like 50. Knows nothing of the connection; told which rows there are.
import type { Row, Series } from './catalogue';
import { element, setText } from './element';
import { formatAge, formatValue, unitSign } from './format';
import { Sparkline } from './sparkline';

/** Pixels; style.css has the same number as --row. */
const ROW = 38;
const OVERSCAN = 3;
/** A value this old is shown dimmed: its device has stopped, or sends rarely. */
const STALE_MS = 30_000;

class DeviceView {
  private readonly name = element('span', 'row-device');
  private readonly count = element('span', 'row-count');
  readonly node = element('div', 'row row-head', this.name, this.count);

  constructor() {
    this.node.setAttribute('role', 'presentation');
  }

  show(row: Extract<Row, { kind: 'device' }>): void {
    setText(this.name, row.device);
    this.name.title = row.device;
    setText(this.count, String(row.count));
  }
}

class SeriesView {
  private readonly metric = element('span', 'row-metric');
  private readonly late = element('span', 'badge-late');
  private readonly spark = new Sparkline();
  private readonly value = element('span', 'row-value');
  private readonly unit = element('span', 'row-unit');
  private readonly age = element('span', 'row-age');
  readonly node = element(
    'div',
    'row row-series',
    element('span', 'row-name', this.metric, this.late),
    this.spark.node,
    element('span', 'row-reading', this.value, this.unit),
    this.age,
  );
  series: Series | undefined;

  constructor() {
    this.node.setAttribute('role', 'option');
  }

  show(row: Extract<Row, { kind: 'series' }>, total: number, selected: boolean, nowMs: number): void {
    const { series } = row;
    if (this.series !== series) {
      this.series = series;
      this.node.id = `option-${row.position}`;
      this.metric.title = series.metric;
      setText(this.metric, series.metric);
    }
    this.node.setAttribute('aria-posinset', String(row.position));
    this.node.setAttribute('aria-setsize', String(total));
    this.node.setAttribute('aria-selected', String(selected));
    this.node.id = `option-${row.position}`;
    setText(this.value, formatValue(series.value, series.fractions));
    setText(this.unit, unitSign(series.unit));
    setText(this.age, formatAge(nowMs - series.timeMs));
    setText(this.late, series.late > 0 ? `${series.late} late` : '');
    this.late.classList.toggle('is-now', series.lastWasLate);
    this.node.classList.toggle('is-stale', nowMs - series.arrivedMs > STALE_MS);
    this.spark.show(series.history);
  }
}

export class SeriesList {
  private readonly spacer = element('div', 'list-spacer');
  private readonly shownDevices = new Map<number, DeviceView>();
  private readonly shownSeries = new Map<number, SeriesView>();
  private readonly freeDevices: DeviceView[] = [];
  private readonly freeSeries: SeriesView[] = [];
  private rows: Row[] = [];
  private total = 0;
  private selected: Series | undefined;
  private stepping = false;

  constructor(
    private readonly box: HTMLElement,
    private readonly events: { onSelect(series: Series): void; onMoved(): void },
  ) {
    this.spacer.setAttribute('role', 'presentation');
    box.append(this.spacer);
    box.addEventListener('scroll', () => events.onMoved(), { passive: true });
    box.addEventListener('keydown', (event) => this.keyed(event));
    box.addEventListener('click', (event) => this.clicked(event));
    new ResizeObserver(() => events.onMoved()).observe(box);
  }

  setRows(rows: Row[]): void {
    this.rows = rows;
    this.total = rows.reduce((sum, row) => sum + (row.kind === 'series' ? 1 : 0), 0);
    this.spacer.style.height = `${rows.length * ROW}px`;
    this.release(0, -1);
  }

  select(series: Series): void {
    this.selected = series;
    this.reveal(!this.stepping);
  }

  /** Give the keyboard to the list and select its first series if none of it is. */
  focus(): void {
    this.box.focus();
    if (this.selectedIndex() < 0) this.move(-1, 1);
  }

  render(nowMs: number): void {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - OVERSCAN);
    const end = Math.min(this.rows.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW) + OVERSCAN);
    this.release(first, end - 1);
    let active = '';
    for (let index = first; index < end; index += 1) {
      const row = this.rows[index]!;
      if (row.kind === 'device') {
        this.view(index, this.shownDevices, this.freeDevices, () => new DeviceView()).show(row);
      } else {
        const selected = row.series === this.selected;
        const view = this.view(index, this.shownSeries, this.freeSeries, () => new SeriesView());
        view.show(row, this.total, selected, nowMs);
        if (selected) active = view.node.id;
      }
    }
    if (active) this.box.setAttribute('aria-activedescendant', active);
    else this.box.removeAttribute('aria-activedescendant');
  }

  private view<V extends { node: HTMLElement }>(index: number, shown: Map<number, V>, free: V[], make: () => V): V {
    let view = shown.get(index);
    if (!view) {
      view = free.pop() ?? make();
      view.node.style.transform = `translateY(${index * ROW}px)`;
      shown.set(index, view);
      this.spacer.append(view.node);
    }
    return view;
  }

  /** Take back the rows outside first..last. */
  private release(first: number, last: number): void {
    const take = <V extends { node: HTMLElement }>(shown: Map<number, V>, free: V[]): void => {
      for (const [index, view] of shown) {
        if (index >= first && index <= last) continue;
        shown.delete(index);
        view.node.remove();
        free.push(view);
      }
    };
    take(this.shownDevices, this.freeDevices);
    take(this.shownSeries, this.freeSeries);
  }

  private selectedIndex(): number {
    return this.rows.findIndex((row) => row.kind === 'series' && row.series === this.selected);
  }

  /** Bring the selected row into view: in the middle when it was out of sight and nobody is stepping to it. */
  private reveal(centred: boolean): void {
    const index = this.selectedIndex();
    if (index < 0) return;
    const top = index * ROW;
    const { scrollTop, clientHeight } = this.box;
    // The device's name above its first metric comes into view with it.
    const above = top - ROW < scrollTop;
    const below = top + ROW > scrollTop + clientHeight;
    if (centred && (above || below)) this.box.scrollTop = top - clientHeight / 2;
    else if (above) this.box.scrollTop = top - ROW;
    else if (below) this.box.scrollTop = top + ROW - clientHeight;
  }

  private clicked(event: MouseEvent): void {
    for (const view of this.shownSeries.values()) {
      if (view.series && view.node.contains(event.target as Node)) this.events.onSelect(view.series);
    }
  }

  private keyed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW) - 1);
    const here = this.selectedIndex();
    if (event.key === 'ArrowDown') this.move(here, 1);
    else if (event.key === 'ArrowUp') this.move(here, -1);
    else if (event.key === 'PageDown') this.move(here + page - 1, 1);
    else if (event.key === 'PageUp') this.move(here - page + 1, -1);
    else if (event.key === 'Home') this.move(-1, 1);
    else if (event.key === 'End') this.move(this.rows.length, -1);
    else return;
    event.preventDefault();
  }

  /** Select the next series from `index` in `direction`; at an end, the last there is. */
  private move(index: number, direction: 1 | -1): void {
    let at = Math.min(this.rows.length, Math.max(-1, index)) + direction;
    while (at >= 0 && at < this.rows.length && this.rows[at]!.kind !== 'series') at += direction;
    let row = this.rows[at];
    if (row?.kind !== 'series') {
      row = direction > 0 ? this.rows[this.rows.length - 1] : this.rows[1];
    }
    if (row?.kind !== 'series') return;
    this.stepping = true;
    this.events.onSelect(row.series);
    this.stepping = false;
  }
}
