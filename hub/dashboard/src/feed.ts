// The connection to the hub: stompjs over one WebSocket, one subscription to every reading.
// Owns when to try again (back-off with jitter; stompjs has none) and when not to: after the hub
// refused the login, a person must act first. Each attempt is a new stompjs client, so that no
// state of a failed one is left.
import { Client, type IFrame, type StompHeaders } from '@stomp/stompjs';
import { backoffMs } from './backoff';

const DESTINATION = '/topic/readings/#';
// What a person can follow, conflated by the hub; brokers without these extensions ignore the headers.
const SUBSCRIPTION: StompHeaders = { 'max-rate': '4', 'on-slow': 'conflate', replay: 'last' };
const CONNECT_TIMEOUT_MS = 10_000;
// Browsers slow the timers of hidden tabs to one tick a minute (stomp-js/stompjs#423): a beat promised
// more often would be broken there, and the hub would close the connection.
const BEAT_OUT_MS = 60_000;
const BEAT_IN_MS = 10_000;
/** A connection that held this long was a good one: the next loss starts the back-off afresh. */
const STABLE_MS = 5_000;

export type Link =
  | { state: 'connecting' }
  | { state: 'open' }
  | { state: 'waiting'; retryAtMs: number; reason: string }
  | { state: 'refused'; reason: string };

export interface Credentials {
  login: string;
  passcode: string;
}

interface FeedEvents {
  onMessage(body: string, dropped: number): void;
  onLink(link: Link): void;
}

export class Feed {
  private client: Client | undefined;
  private timer: number | undefined;
  private attempt = 0;
  private openedMs = 0;
  private reason = '';
  private credentials: Credentials | undefined;
  private link: Link = { state: 'connecting' };

  constructor(
    readonly url: string,
    private readonly events: FeedEvents,
  ) {}

  /** Connect now, whatever was planned. Credentials stay in the memory of this page only. */
  connect(credentials = this.credentials): void {
    this.credentials = credentials;
    window.clearTimeout(this.timer);
    const previous = this.client;
    this.client = undefined;
    void previous?.deactivate({ force: true });
    this.open();
  }

  /** Skip the rest of a wait, for instance when the tab is looked at again. */
  retryNow(): void {
    if (this.link.state === 'waiting') this.connect();
  }

  private open(): void {
    this.reason = '';
    const client = new Client({
      brokerURL: this.url,
      reconnectDelay: 0,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      heartbeatIncoming: BEAT_IN_MS,
      heartbeatOutgoing: BEAT_OUT_MS,
      connectHeaders: this.credentials ? { ...this.credentials } : {},
      discardWebsocketOnCommFailure: true,
    });
    const current = (): boolean => this.client === client;
    client.onConnect = () => {
      if (!current()) return;
      this.openedMs = Date.now();
      this.tell({ state: 'open' });
      client.subscribe(
        DESTINATION,
        (message) => this.events.onMessage(message.body, Number(message.headers['dropped'] ?? 0) || 0),
        SUBSCRIPTION,
      );
    };
    client.onStompError = (frame) => {
      if (current()) this.refusedOr(frame);
    };
    client.onWebSocketClose = () => {
      if (current()) this.closed();
    };
    this.client = client;
    this.tell({ state: 'connecting' });
    client.activate();
  }

  private refusedOr(frame: IFrame): void {
    const message = frame.headers['message'] ?? 'ERROR without a message';
    if (message !== 'Bad CONNECT') {
      // The hub closes after ERROR; the reason is shown while the page waits to try again.
      this.reason = frame.body ? `${message}: ${frame.body.slice(0, 300)}` : message;
      return;
    }
    const client = this.client;
    this.client = undefined;
    void client?.deactivate({ force: true });
    const tried = this.credentials !== undefined;
    this.credentials = undefined;
    this.tell({ state: 'refused', reason: tried ? 'The hub does not know this login and passcode.' : '' });
  }

  private closed(): void {
    const client = this.client;
    this.client = undefined;
    void client?.deactivate({ force: true });
    if (this.openedMs > 0 && Date.now() - this.openedMs > STABLE_MS) this.attempt = 0;
    this.openedMs = 0;
    const delayMs = backoffMs(this.attempt, Math.random());
    this.attempt += 1;
    this.timer = window.setTimeout(() => this.open(), delayMs);
    this.tell({ state: 'waiting', retryAtMs: Date.now() + delayMs, reason: this.reason });
  }

  private tell(link: Link): void {
    this.link = link;
    this.events.onLink(link);
  }
}
