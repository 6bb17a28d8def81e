import { PartialJSONValue } from '@lumino/coreutils';

import { IKind, rowsOf, shown, typed, valueOf } from '../notebook/options';

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
