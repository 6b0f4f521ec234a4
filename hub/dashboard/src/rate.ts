// Messages a second over the last few seconds. Counts in buckets of a second; time is an argument.

const WINDOW_S = 5;

export class RateMeter {
  private readonly counts = new Array<number>(WINDOW_S).fill(0);
  private second = 0;
  private firstSecond = -1;

  add(nowMs: number): void {
    this.moveTo(nowMs);
    const slot = this.second % WINDOW_S;
    this.counts[slot] = this.counts[slot]! + 1;
  }

  /** Mean over the last full seconds; the running one would flicker. */
  perSecond(nowMs: number): number {
    this.moveTo(nowMs);
    const full = Math.min(WINDOW_S - 1, this.second - this.firstSecond);
    if (full <= 0) return this.counts[this.second % WINDOW_S]!;
    let sum = 0;
    for (let ago = 1; ago <= full; ago += 1) sum += this.counts[(this.second - ago) % WINDOW_S]!;
    return sum / full;
  }

  private moveTo(nowMs: number): void {
    const now = Math.floor(nowMs / 1000);
    if (this.firstSecond < 0 || now < this.second || now - this.second >= WINDOW_S) {
      this.counts.fill(0);
      if (this.firstSecond < 0 || now < this.second) this.firstSecond = now;
    } else {
      for (let second = this.second + 1; second <= now; second += 1) this.counts[second % WINDOW_S] = 0;
    }
    this.second = now;
  }
}
