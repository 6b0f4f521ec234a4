// What the page says about its connection: the state in the header, a bar when readings on the page
// are no longer live, a panel with the next step when there are none at all, and the sign-in form.
import { byId, setText } from './element';
import type { Credentials, Feed, Link } from './feed';

const LABELS: Record<Link['state'], string> = {
  connecting: 'Connecting',
  open: 'Live',
  waiting: 'Not connected',
  refused: 'Sign in needed',
};

export class Notice {
  private readonly link = byId('link', HTMLElement);
  private readonly label = byId('link-label', HTMLElement);
  private readonly bar = byId('bar', HTMLElement);
  private readonly barText = byId('bar-text', HTMLElement);
  private readonly panel = byId('panel', HTMLElement);
  private readonly panelTitle = byId('panel-title', HTMLElement);
  private readonly panelText = byId('panel-text', HTMLElement);
  private readonly hints = {
    waiting: byId('hint-waiting', HTMLElement),
    open: byId('hint-open', HTMLElement),
  };
  private readonly actions = document.querySelectorAll<HTMLButtonElement>('[data-action="retry"]');
  private readonly dialog = byId('login', HTMLDialogElement);
  private readonly form = byId('login-form', HTMLFormElement);
  private readonly problem = byId('login-problem', HTMLElement);
  private readonly login = byId('login-name', HTMLInputElement);
  private readonly passcode = byId('login-passcode', HTMLInputElement);
  private state: Link = { state: 'connecting' };

  constructor(
    private readonly feed: () => Feed,
    private readonly url: string,
  ) {
    for (const place of document.querySelectorAll<HTMLElement>('[data-hub-url]')) setText(place, url);
    setText(byId('hint-port', HTMLElement), new URL(url).port || (url.startsWith('wss') ? '443' : '80'));
    for (const button of this.actions) button.addEventListener('click', () => this.act());
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.dialog.close();
      this.feed().connect(this.credentials());
    });
  }

  show(link: Link): void {
    this.state = link;
    this.link.dataset['state'] = link.state;
    setText(this.label, LABELS[link.state]);
    if (link.state === 'refused') this.askLogin(link.reason);
    else if (this.dialog.open) this.dialog.close();
  }

  /** Called each second too: the wait is counted down. */
  render(hasSeries: boolean, nowMs: number): void {
    const { state } = this.state;
    const text = this.text(nowMs);
    this.panel.hidden = hasSeries;
    this.bar.hidden = !hasSeries || state === 'open';
    setText(this.barText, `${text} The values below stand still.`);
    setText(this.panelTitle, this.title());
    setText(this.panelText, text);
    this.hints.waiting.hidden = state !== 'waiting';
    this.hints.open.hidden = state !== 'open';
    for (const button of this.actions) {
      button.hidden = state !== 'waiting' && state !== 'refused';
      setText(button, state === 'refused' ? 'Sign in' : 'Try now');
    }
  }

  private title(): string {
    if (this.state.state === 'open') return 'Connected, waiting for the first reading';
    if (this.state.state === 'waiting') return 'The hub does not answer';
    return this.state.state === 'refused' ? 'This hub wants to know who you are' : 'Connecting to the hub';
  }

  private text(nowMs: number): string {
    const link = this.state;
    if (link.state === 'open') return 'The hub has no readings yet. They appear here by themselves.';
    if (link.state === 'connecting') return `Opening ${this.url} …`;
    if (link.state === 'refused') return 'Sign in to see its readings.';
    const seconds = Math.max(0, Math.ceil((link.retryAtMs - nowMs) / 1000));
    const reason = link.reason ? `The hub said: ${link.reason} ` : 'No connection to the hub. ';
    return `${reason}Next attempt ${seconds > 0 ? `in ${seconds} s` : 'now'}.`;
  }

  private act(): void {
    if (this.state.state === 'refused') this.askLogin('');
    else this.feed().retryNow();
  }

  private askLogin(problem: string): void {
    setText(this.problem, problem);
    this.problem.hidden = !problem;
    this.passcode.value = '';
    if (!this.dialog.open) this.dialog.showModal();
    (this.login.value ? this.passcode : this.login).focus();
  }

  private credentials(): Credentials {
    const credentials = { login: this.login.value, passcode: this.passcode.value };
    this.passcode.value = '';
    return credentials;
  }
}
