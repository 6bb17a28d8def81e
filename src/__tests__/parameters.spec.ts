import { Parameter } from '../api';
import { collect, parse, textOf } from '../notebook/parameters';
import { trans } from './helpers';

function parameter(
  type: Parameter['type'],
  value: unknown,
  more: Partial<Parameter> = {}
): Parameter {
  return { name: 'p', type, default: value, cell: 1, ...more } as Parameter;
}

describe('parse', () => {
  const good: [Parameter['type'], string, unknown][] = [
    ['int', '3', 3],
    ['int', ' -7 ', -7],
    ['int', '+2', 2],
    ['float', '1e-4', 1e-4],
    ['float', '3', 3],
    ['bool', 'true', true],
    ['bool', 'false', false],
    ['str', '', ''],
    ['str', '"quoted"', '"quoted"'],
    ['list', '[1, "a"]', [1, 'a']],
    ['dict', '{"a": {"b": null}}', { a: { b: null } }],
    ['none', 'null', null],
    ['none', '3', 3]
  ];
  it.each(good)('%s %j', (type, text, value) => {
    expect(parse(parameter(type, null), text, trans)).toEqual({
      ok: true,
      value
    });
  });

  const bad: [Parameter['type'], string][] = [
    ['int', ''],
    ['int', '1.5'],
    ['int', '1e3'],
    ['int', '99999999999999999999'],
    ['float', ''],
    ['float', '  '],
    ['float', '1,5'],
    ['float', 'nan'],
    ['list', '{"a": 1}'],
    ['list', '[1,'],
    ['dict', '[1]'],
    ['dict', 'null'],
    ['none', 'None']
  ];
  it.each(bad)('%s refuses %j', (type, text) => {
    const parsed = parse(parameter(type, null), text, trans);
    expect(parsed.ok).toBe(false);
    expect(!parsed.ok && parsed.message).not.toBe('');
  });

  it('takes only the choices of an enum', () => {
    const kind = parameter('enum', 'a', { choices: ['a', 1] });
    expect(parse(kind, '"a"', trans)).toEqual({ ok: true, value: 'a' });
    expect(parse(kind, '1', trans)).toEqual({ ok: true, value: 1 });
    expect(parse(kind, '"b"', trans).ok).toBe(false);
  });
});

describe('textOf', () => {
  const defaults: [Parameter['type'], unknown][] = [
    ['int', 3],
    ['float', 1e-5],
    ['bool', false],
    ['str', 'a "b"'],
    ['list', [1, [2]]],
    ['dict', { a: 'x' }],
    ['none', null]
  ];
  it.each(defaults)('%s %j comes back as it was', (type, value) => {
    const p = parameter(type, value);
    expect(parse(p, textOf(p, value), trans)).toEqual({ ok: true, value });
  });
});

describe('collect', () => {
  const parameters = [
    { ...parameter('float', 0.1), name: 'lr' },
    { ...parameter('int', 5), name: 'n' },
    { ...parameter('list', [1, 2]), name: 'xs' }
  ];

  it('takes what differs from the defaults', () => {
    const entered = { lr: '0.10', n: '7', xs: '[1,2]', gone: 'x' };
    expect(collect(parameters, entered, trans)).toEqual({
      values: { n: 7 },
      invalid: []
    });
  });

  it('names what is not valid', () => {
    const { values, invalid } = collect(
      parameters,
      { lr: 'x', n: '', xs: '[3]' },
      trans
    );
    expect(invalid).toEqual(['lr', 'n']);
    expect(values).toEqual({ xs: [3] });
  });
});
