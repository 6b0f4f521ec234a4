// The device's other metrics, each a button that selects it.
import type { Catalogue, Series } from './catalogue';
import { element, setText } from './element';
import { formatValue, unitSign } from './format';
import { Sparkline } from './sparkline';

/** A device with more is better read in the list. */
const CARDS_MAX = 48;

class Card {
  private readonly value = element('span', 'card-value');
  private readonly spark = new Sparkline();
  readonly node: HTMLButtonElement;

  constructor(
    readonly series: Series,
    onSelect: (series: Series) => void,
  ) {
    this.node = element(
      'button',
      'card',
      element('span', 'card-metric', series.metric),
      element('span', 'card-reading', this.value, element('span', 'row-unit', unitSign(series.unit))),
      this.spark.node,
    );
    this.node.type = 'button';
    this.node.addEventListener('click', () => onSelect(series));
  }

  render(): void {
    setText(this.value, formatValue(this.series.value, this.series.fractions));
    this.spark.show(this.series.history);
  }
}

export class Cards {
  private cards: Card[] = [];
  private version = -1;
  private series: Series | undefined;

  constructor(
    private readonly title: HTMLElement,
    private readonly box: HTMLElement,
    private readonly onSelect: (series: Series) => void,
  ) {}

  render(catalogue: Catalogue, series: Series): void {
    if (this.version !== catalogue.version || this.series !== series) {
      this.version = catalogue.version;
      this.series = series;
      this.build(catalogue.metricsOf(series.device).filter((other) => other !== series).slice(0, CARDS_MAX));
      setText(this.title, `More from ${series.device}`);
      this.title.hidden = this.cards.length === 0;
    }
    for (const card of this.cards) card.render();
  }

  private build(others: Series[]): void {
    // New series of other devices change nothing here, and a rebuilt button would lose the focus.
    if (others.length === this.cards.length && others.every((other, at) => other === this.cards[at]?.series)) return;
    this.cards = others.map((other) => new Card(other, this.onSelect));
    this.box.replaceChildren(...this.cards.map((card) => card.node));
  }
}
