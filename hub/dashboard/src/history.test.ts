import { describe, expect, it } from 'vitest';
import { History } from './history';

describe('History', () => {
  it('puts a late reading where its time belongs', () => {
    const history = new History(10);
    for (const time of [10, 30, 40]) history.add(time, time, false);
    history.add(20, 20, true);
    history.add(5, 5, true);
    expect(history.times).toEqual([5, 10, 20, 30, 40]);
    expect(history.values).toEqual([5, 10, 20, 30, 40]);
    expect(history.late).toEqual([true, false, true, false, false]);
  });

  it('replaces a reading of the same time', () => {
    const history = new History(10);
    history.add(10, 1, false);
    history.add(10, 2, false);
    expect(history.values).toEqual([2]);
  });

  it('never holds more than a fifth above its capacity, and drops the oldest', () => {
    const history = new History(100);
    for (let time = 0; time < 1000; time += 1) {
      history.add(time, time, false);
      expect(history.length).toBeLessThanOrEqual(121);
    }
    expect(history.times.at(-1)).toBe(999);
    history.resize(10);
    expect(history.times).toEqual([990, 991, 992, 993, 994, 995, 996, 997, 998, 999]);
  });

  it('finds the first reading from a time on', () => {
    const history = new History(10);
    expect(history.firstFrom(5)).toBe(0);
    for (const time of [10, 20, 30]) history.add(time, time, false);
    expect([0, 10, 11, 30, 31].map((time) => history.firstFrom(time))).toEqual([0, 0, 1, 2, 3]);
  });
});
