import { describe, expect, it } from 'vitest';
import { parseReading, plotted } from './reading';

const BODY = '{"device":"press-7","metric":"temperature","t":"2026-11-20T16:00:00.123Z","v":21.5,"unit":"Cel"}';

describe('parseReading', () => {
  it("takes the hub's format", () => {
    expect(parseReading(BODY)).toEqual({
      device: 'press-7',
      metric: 'temperature',
      timeMs: Date.UTC(2026, 10, 20, 16, 0, 0, 123),
      value: 21.5,
      unit: 'Cel',
      late: false,
    });
  });

  it('takes texts, switches, late marks and a missing unit', () => {
    const body = '{"device":"a","metric":"b","t":"2026-11-20T16:00:00Z","v":"idle","late":true}';
    expect(parseReading(body)).toMatchObject({ value: 'idle', unit: '', late: true });
    expect(parseReading(body.replace('"idle"', 'false'))).toMatchObject({ value: false });
  });

  it.each([
    '',
    'null',
    '[]',
    '{"device":"a"}',
    BODY.replace('21.5', 'null'),
    BODY.replace('21.5', '{"a":1}'),
    BODY.replace('2026-11-20T16:00:00.123Z', 'yesterday'),
    BODY.replace('"press-7"', '7'),
  ])('refuses %j', (body) => {
    expect(parseReading(body)).toBeNull();
  });
});

describe('plotted', () => {
  it('draws switches as 0 and 1 and texts not at all', () => {
    expect([3.5, true, false, 'idle'].map(plotted)).toEqual([3.5, 1, 0, null]);
  });
});
