/**
 * The parameter form's text and the typed value behind it. Values travel as JSON, never as source text.
 */
import { TranslationBundle } from '@jupyterlab/translation';

import { Parameter } from '../api';

/** A value, or why the text is none. */
export type Parsed =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

/** The text that stands for a value in the form. */
export function textOf(parameter: Parameter, value: unknown): string {
  switch (parameter.type) {
    case 'str':
      return typeof value === 'string' ? value : '';
    case 'list':
    case 'dict':
    case 'enum':
    case 'none':
      return JSON.stringify(value ?? null);
    default:
      return String(value);
  }
}

/** Read a text of the form as the parameter's type. */
export function parse(
  parameter: Parameter,
  text: string,
  trans: TranslationBundle
): Parsed {
  switch (parameter.type) {
    case 'str':
      return { ok: true, value: text };
    case 'bool':
      return { ok: true, value: text === 'true' };
    case 'int':
      return /^\s*[-+]?\d+\s*$/.test(text) && Number.isSafeInteger(Number(text))
        ? { ok: true, value: Number(text) }
        : { ok: false, message: trans.__('A whole number is needed.') };
    case 'float': {
      const value = text.trim() === '' ? NaN : Number(text);
      return Number.isFinite(value)
        ? { ok: true, value }
        : { ok: false, message: trans.__('A number is needed.') };
    }
    case 'list':
      return json(
        text,
        Array.isArray,
        trans.__('A JSON list is needed, such as [1, 2].')
      );
    case 'dict':
      return json(
        text,
        isObject,
        trans.__('A JSON object is needed, such as {"a": 1}.')
      );
    case 'enum':
      return json(
        text,
        value => (parameter.choices ?? []).some(choice => equal(choice, value)),
        trans.__('One of the choices is needed.')
      );
    case 'none':
      return json(
        text,
        () => true,
        trans.__('JSON is needed, such as null, 3 or "text".')
      );
  }
}

/** The values that differ from the defaults, or the names of the texts that are none. */
export function collect(
  parameters: ReadonlyArray<Parameter>,
  entered: Readonly<Record<string, string>>,
  trans: TranslationBundle
): { values: Record<string, unknown>; invalid: string[] } {
  const values: Record<string, unknown> = {};
  const invalid: string[] = [];
  for (const parameter of parameters) {
    const text = entered[parameter.name];
    if (text === undefined) {
      continue;
    }
    const parsed = parse(parameter, text, trans);
    if (!parsed.ok) {
      invalid.push(parameter.name);
    } else if (!equal(parsed.value, parameter.default)) {
      values[parameter.name] = parsed.value;
    }
  }
  return { values, invalid };
}

function json(
  text: string,
  accepts: (value: unknown) => boolean,
  message: string
): Parsed {
  try {
    const value: unknown = JSON.parse(text);
    return accepts(value) ? { ok: true, value } : { ok: false, message };
  } catch {
    return { ok: false, message };
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
