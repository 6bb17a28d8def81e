import {
  absoluteTime,
  brief,
  bytes,
  cellRange,
  marks,
  duration,
  metric,
  phaseLabel,
  place,
  relativeTime
} from '../format';
import { trans } from './helpers';

const NOW = 1_700_000_000;

describe('relativeTime', () => {
  it.each([
    [0, 'just now'],
    [-5, 'just now'],
    [9.9, 'just now'],
    [10, '10 s ago'],
    [59.9, '59 s ago'],
    [60, '1 min ago'],
    [3599, '59 min ago'],
    [3600, '1 h ago'],
    [86399, '23 h ago'],
    [86400, '1 day ago'],
    [3 * 86400, '3 days ago']
  ])('%s seconds: %s', (age, text) => {
    expect(relativeTime(NOW - age, NOW, trans)).toBe(text);
  });

  it('is a date after a month', () => {
    expect(relativeTime(NOW - 40 * 86400, NOW, trans)).toMatch(/\d/);
    expect(relativeTime(NOW - 40 * 86400, NOW, trans)).not.toContain('ago');
  });
});

it('absoluteTime has date and seconds', () => {
  expect(absoluteTime(NOW)).toMatch(/2023/);
});

describe('duration', () => {
  it.each([
    [0.0004, '0 ms'],
    [0.85, '850 ms'],
    [3.24, '3.2 s'],
    [4, '4 s'],
    [3.98, '4.0 s'],
    [9.96, '10 s'],
    [59.4, '59 s'],
    [59.6, '1 min 0 s'],
    [72, '1 min 12 s'],
    [7500, '2 h 5 min']
  ])('%s: %s', (seconds, text) => {
    expect(duration(seconds, trans)).toBe(text);
  });
});

describe('bytes', () => {
  it.each([
    [0, '0 B'],
    [412, '412 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [1_300_000, '1.3 MB'],
    [123_000_000, '123 MB'],
    [999_600_000, '1.0 GB'],
    [5e15, '5000 TB']
  ])('%s: %s', (count, text) => {
    expect(bytes(count)).toBe(text);
  });
});

describe('metric', () => {
  it.each([
    [1, '1'],
    [0.912345, '0.9123'],
    [0.5, '0.5'],
    [0.00001234, '1.234e-5'],
    [1234567.8, '1.235e+6'],
    [-0.25, '-0.25'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity']
  ])('%s: %s', (value, text) => {
    expect(metric(value)).toBe(text);
  });
});

describe('cellRange', () => {
  it.each([
    [[3], 'cell 3'],
    [[1, 2, 3], 'cells 1–3'],
    [[1, 2, 3, 7], 'cells 1–3, 7'],
    [[0, 2, 4], 'cells 0, 2, 4'],
    [[], '']
  ])('%j: %s', (cells, text) => {
    expect(cellRange(cells, trans)).toBe(text);
  });
});

it('place names what there is', () => {
  expect(place({}, trans)).toBe('');
  expect(place({ cell: null, line: 3 }, trans)).toBe('');
  expect(place({ cell: 0 }, trans)).toBe('cell 0');
  expect(place({ cell: 4, line: 2 }, trans)).toBe('cell 4, line 2');
});

it('brief shortens', () => {
  expect(brief('short')).toBe('short');
  expect(brief({ a: 1 })).toBe('{"a":1}');
  expect(brief('x'.repeat(100), 10)).toBe(`${'x'.repeat(9)}…`);
});

it('every phase has a word', () => {
  const phases = [
    'Pending',
    'Running',
    'Succeeded',
    'Failed',
    'Error',
    'Stopped',
    'Skipped',
    'Loading',
    'Ready'
  ] as const;
  const words = phases.map(phase => phaseLabel(phase, trans));
  expect(new Set(words).size).toBe(phases.length);
});

describe('marks', () => {
  it.each<[Record<string, unknown> | undefined, string[]]>([
    [undefined, []],
    [{}, []],
    [{ image: 'a:1', cpu: '2' }, []],
    [{ each: 'rate in rates' }, ['each rate']],
    [{ when: 'score < 0.9' }, ['if score < 0.9']],
    [{ finally: true }, ['at the end']],
    [{ finally: 'outcome', gpu: 2 }, ['at the end', '2 GPUs']],
    [{ gpu: 1, retries: 1 }, ['1 GPU', '1 retry']],
    [{ gpu: 0, retries: 0, finally: false }, []]
  ])('of %j', (options, expected) => {
    expect(marks(options, trans)).toEqual(expected);
  });
});
