import { PartialJSONValue } from '@lumino/coreutils';

import {
  IKind,
  rowsOf,
  shown,
  together,
  typed,
  valueOf
} from '../notebook/options';

type Kind = IKind['kind'];

describe('typed', () => {
  const cases: [Kind, string, unknown][] = [
    ['text', '500m', '500m'],
    ['text', ' ', undefined],
    ['text', 'true', 'true'],
    ['number', '2', 2],
    ['number', 'two', 'two'],
    ['number', '', undefined],
    ['words', 'model', 'model'],
    ['words', 'model:a,', 'model:a'],
    ['words', 'model:a, model:b', ['model:a', 'model:b']],
    ['words', ',', undefined],
    ['json', 'true', true],
    ['json', 'outcome', 'outcome'],
    ['json', '{"rate": [1, 2]}', { rate: [1, 2] }],
    ['json', '{"rate"', '{"rate"'],
    ['json', '3', '3'],
    ['list', '"data"', '"data"'],
    ['map', '{"a": "b"}', { a: 'b' }]
  ];
  it.each(cases)('%s %j', (kind, text, value) => {
    expect(typed(text, kind)).toEqual(value);
  });
});

describe('shown', () => {
  const cases: [Kind, PartialJSONValue][] = [
    ['text', 'x'],
    ['number', 2],
    ['words', ['model:a', 'model:b']],
    ['json', true],
    ['json', { rate: [1, 2] }]
  ];
  it.each(cases)('what %s shows of %j stands for it', (kind, value) => {
    expect(typed(shown(value), kind)).toEqual(value);
  });
  it('is empty for nothing', () => {
    expect(shown(undefined)).toBe('');
    expect(shown(null)).toBe('');
  });
});

describe('rows', () => {
  const whole: [Kind, PartialJSONValue | undefined][] = [
    ['map', { A: '1', B: '' }],
    ['map', { A: 1 }],
    ['map', undefined],
    ['list', [{ env: 'A', secret: 's', key: 'k' }]],
    ['list', [{ mount: '/data', read_only: true }, { theirs: 1 }]],
    ['list', undefined]
  ];
  it.each(whole)('%s %j comes back as it was', (kind, value) => {
    expect(valueOf(rowsOf(value, kind)!, kind)).toEqual(value);
  });

  const small: [Kind, Record<string, PartialJSONValue>[], unknown][] = [
    ['list', [{}], undefined],
    ['list', [{}, { env: 'A', secret: '' }, {}], [{ env: 'A' }]],
    ['list', [{ mount: '/d', read_only: false }], [{ mount: '/d' }]],
    ['map', [{ value: '1' }, { name: 'A' }], { A: '' }],
    ['map', [{ name: ' ' }], undefined],
    [
      'map',
      [
        { name: 'A', value: '1' },
        { name: 'A', value: '2' }
      ],
      { A: '2' }
    ]
  ];
  it.each(small)('%s %j is written small', (kind, rows, value) => {
    expect(valueOf(rows, kind)).toEqual(value);
  });

  const others: [Kind, PartialJSONValue][] = [
    ['map', ['a']],
    ['map', 'a=b'],
    ['map', { a: { b: 1 } }],
    ['list', { env: 'A' }],
    ['list', ['A']],
    ['list', 'data']
  ];
  it.each(others)('%s %j is no rows, and shown as text', (kind, value) => {
    expect(rowsOf(value, kind)).toBeNull();
  });
});

describe('together', () => {
  it('asks once for what is asked nearly at once, and anew later', async () => {
    const asked: unknown[] = [];
    const ask = together(async options => {
      asked.push(options);
      return { timeout: 'no' };
    });
    const answers = await Promise.all([
      ask({ timeout: 'abc' }),
      ask({ cpu: '1' }),
      ask({ timeout: 'ab' })
    ]);
    expect(answers).toEqual(Array(3).fill({ timeout: 'no' }));
    await ask({ gpu: 1 });
    expect(asked).toEqual([{ timeout: 'ab', cpu: '1' }, { gpu: 1 }]);
  });

  it('tells all who asked that nobody answers, and asks again', async () => {
    let there = false;
    const ask = together(async () => {
      if (!there) {
        throw new Error('away');
      }
      return {};
    });
    const both = await Promise.allSettled([ask({ a: 1 }), ask({ b: 1 })]);
    expect(both.map(one => one.status)).toEqual(['rejected', 'rejected']);
    there = true;
    expect(await ask({ a: 1 })).toEqual({});
  });
});
