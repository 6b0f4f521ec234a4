// The recent readings of one series, in order of device time, at most `capacity` of them.
// Late readings are put where they belong; a reading whose time is already held replaces it, as the
// hub's identity (device, metric, time) says. When full, the oldest go.
import type { Value } from './reading';

// Trimming moves the whole array, so it waits until a fifth is too much.
const SLACK = 1.2;

export class History {
  readonly times: number[] = [];
  readonly values: Value[] = [];
  readonly late: boolean[] = [];

  constructor(private capacity: number) {}

  get length(): number {
    return this.times.length;
  }

  add(timeMs: number, value: Value, late: boolean): void {
    const at = this.firstFrom(timeMs);
    if (this.times[at] === timeMs) {
      this.values[at] = value;
      this.late[at] = late;
    } else if (at === this.times.length) {
      this.times.push(timeMs);
      this.values.push(value);
      this.late.push(late);
    } else {
      this.times.splice(at, 0, timeMs);
      this.values.splice(at, 0, value);
      this.late.splice(at, 0, late);
    }
    if (this.times.length > this.capacity * SLACK) this.trim();
  }

  /** Hold at most `capacity` readings from now on. */
  resize(capacity: number): void {
    this.capacity = capacity;
    this.trim();
  }

  /** The index of the first reading at or after `timeMs`; `length` when there is none. */
  firstFrom(timeMs: number): number {
    const last = this.times.length - 1;
    // Nearly every reading is newer than all before it.
    if (last < 0 || this.times[last]! < timeMs) return last + 1;
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle]! < timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private trim(): void {
    const excess = this.times.length - this.capacity;
    if (excess <= 0) return;
    this.times.splice(0, excess);
    this.values.splice(0, excess);
    this.late.splice(0, excess);
  }
}
