// Builds the page once and ties its parts: feed → catalogue → list, detail, notices.
// Messages only change state; drawing happens once per animation frame, and only after a change.
import { Catalogue, SERIES_MAX, type Series } from './catalogue';
import { Detail } from './detail';
import { byId, setText } from './element';
import { Feed } from './feed';
import { formatNumber, formatRate } from './format';
import { Notice } from './notice';
import { RateMeter } from './rate';
import { parseReading } from './reading';
import { SeriesList } from './series_list';
import './style.css';
import { ThemeSwitch } from './theme';

/** Ages, rates and the moving window go on when no message comes. */
const TICK_MS = 250;

// Beside the page, wherever a proxy put it.
const url = new URL('ws', location.href.replace(/^http/, 'ws')).href;
const search = byId('search', HTMLInputElement);
const numbers = {
  rate: byId('rate', HTMLElement),
  devices: byId('devices', HTMLElement),
  series: byId('series', HTMLElement),
  late: byId('late', HTMLElement),
  skipped: byId('skipped', HTMLElement),
};
const listNote = byId('list-note', HTMLElement);
const main = byId('main', HTMLElement);

const catalogue = new Catalogue();
const rate = new RateMeter();
const totals = { late: 0, skipped: 0, unreadable: 0 };

let frame = 0;
let listedVersion = -1;
let listedQuery = '';
let selected: Series | undefined;
/** The series asked for in the address or by the person; shown as soon as it is heard of. */
let wanted = location.hash.slice(1);

const list = new SeriesList(byId('list', HTMLElement), { onSelect: choose, onMoved: schedule });
const detail = new Detail(catalogue, { onSelect: choose, onChange: schedule });
const notice = new Notice(() => feed, url);
const feed = new Feed(url, {
  onMessage(body, dropped) {
    const nowMs = Date.now();
    rate.add(nowMs);
    totals.skipped += dropped;
    const reading = parseReading(body);
    if (!reading) totals.unreadable += 1;
    else if (catalogue.accept(reading, nowMs) && reading.late) totals.late += 1;
    schedule();
  },
  onLink(link) {
    notice.show(link);
    schedule();
  },
});
new ThemeSwitch(byId('theme', HTMLButtonElement), () => detail.themeChanged());

function schedule(): void {
  frame ||= requestAnimationFrame(render);
}

function choose(series: Series): void {
  wanted = series.key;
  history.replaceState(null, '', `#${series.key}`);
  show(series);
}

function show(series: Series): void {
  selected = series;
  catalogue.watch(series);
  list.select(series);
  detail.show(series);
  schedule();
}

function render(): void {
  frame = 0;
  const nowMs = Date.now();
  const query = search.value;
  if (listedVersion !== catalogue.version || listedQuery !== query) {
    listedVersion = catalogue.version;
    listedQuery = query;
    const rows = catalogue.rows(query);
    list.setRows(rows);
    const first = rows.find((row) => row.kind === 'series');
    const asked = catalogue.get(wanted);
    if (asked && asked !== selected) show(asked);
    else if (!selected && first?.kind === 'series') show(first.series);
    setText(listNote, note(rows.length));
    listNote.hidden = listNote.textContent === '';
  }
  setText(numbers.rate, formatRate(rate.perSecond(nowMs)));
  setText(numbers.devices, formatNumber(catalogue.devices));
  setText(numbers.series, formatNumber(catalogue.size));
  setText(numbers.late, formatNumber(totals.late));
  setText(numbers.skipped, formatNumber(totals.skipped));
  main.hidden = catalogue.size === 0;
  notice.render(catalogue.size > 0, nowMs);
  list.render(nowMs);
  detail.render(nowMs);
}

function note(rows: number): string {
  if (rows === 0 && search.value) return `Nothing matches “${search.value}”. Search looks in device and metric names.`;
  if (catalogue.unlisted > 0) return `More series arrive than this page holds: the first ${SERIES_MAX} are shown.`;
  return totals.unreadable > 0 ? `${totals.unreadable} messages could not be read.` : '';
}

search.addEventListener('input', schedule);
search.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown' || event.key === 'Enter') list.focus();
  else if (event.key === 'Escape') search.value = '';
  else return;
  event.preventDefault();
  schedule();
});
document.addEventListener('keydown', (event) => {
  const typing = event.target instanceof HTMLInputElement && event.target.type !== 'radio';
  if (event.key !== '/' || typing || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  search.focus();
});
window.addEventListener('hashchange', () => {
  wanted = location.hash.slice(1);
  const series = catalogue.get(wanted);
  if (series) show(series);
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) feed.retryNow();
});
window.addEventListener('online', () => feed.retryNow());
window.setInterval(schedule, TICK_MS);
feed.connect();
schedule();
