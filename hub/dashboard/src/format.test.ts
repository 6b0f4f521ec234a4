import { describe, expect, it } from 'vitest';
import { formatAge, formatRate, formatValue, unitSign } from './format';

describe('format', () => {
  it.each([
    [21.5, '21.50'],
    [0.01234, '0.0123'],
    [1234.56, '1\u202f234.6'],
    [1234567, '1\u202f234\u202f567'],
    [-3, '-3'],
    [0, '0'],
    [1.5e12, '1.500e12'],
    [0.00001, '1.000e-5'],
    [true, 'on'],
    [false, 'off'],
    ['idle', 'idle'],
  ])('writes %j as %s', (value, text) => {
    expect(formatValue(value)).toBe(text);
  });

  it('shows fractions on whole numbers of a series that has some', () => {
    expect([25, 0, 12345678].map((value) => formatValue(value, true))).toEqual(['25.00', '0.0000', '12\u202f345\u202f678']);
  });

  it.each([
    [-5000, 'now'],
    [1999, 'now'],
    [2000, '2 s'],
    [119_000, '1 min'],
    [3 * 3_600_000, '3 h'],
    [400 * 86_400_000, '1 y'],
  ])('writes an age of %i ms as %s', (age, text) => {
    expect(formatAge(age)).toBe(text);
  });

  it('writes known UCUM codes as signs and leaves others alone', () => {
    expect(['Cel', 'kPa', '', '1'].map(unitSign)).toEqual(['°C', 'kPa', '', '']);
  });

  it('writes rates with the digits that matter', () => {
    expect([0, 3.25, 42.4, 12345].map(formatRate)).toEqual(['0.0', '3.3', '42', '12\u202f345']);
  });
});
