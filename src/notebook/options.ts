/**
 * Values of a cell's `mlops` metadata as the form shows and writes them: as small as Python reads them, and nothing lost that the
 * form does not know.
 */
import { JSONExt, PartialJSONValue } from '@lumino/coreutils';

/** One part of a row. */
export interface IPart {
  readonly name: string;
  readonly title: string;
  /** Texts of which one is chosen. */
  readonly choices?: ReadonlyArray<string>;
  /** Whether it is true or absent. */
  readonly flag?: boolean;
}

/**
 * How a key is shown: `text`; `words`, several between commas; `json`, a text that may be what JSON calls true or an object;
 * `number`; `choice`; `map`, rows of a name and a value; `list`, rows of parts. `scripts/form.py` writes it into the form.
 */
export interface IKind {
  readonly kind:
    'text' | 'words' | 'json' | 'number' | 'choice' | 'map' | 'list';
  readonly choices?: ReadonlyArray<PartialJSONValue>;
  readonly parts?: ReadonlyArray<IPart>;
}

export type Row = Readonly<Record<string, PartialJSONValue>>;

/** Names of the parts of a `map`. */
const NAME = 'name';
const VALUE = 'value';

/** What a field shows of a value; '' for none. */
export function shown(value: PartialJSONValue | undefined): string {
  if (value === undefined || value === null) {
    return '';
  }
  if (Array.isArray(value) && value.every(item => typeof item === 'string')) {
    return value.join(', ');
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** The value that a text in a field stands for; undefined for none. What is no number is kept as it is: Python says what is wrong. */
export function typed(
  text: string,
  kind: IKind['kind']
): PartialJSONValue | undefined {
  const trimmed = text.trim();
  if (!trimmed) {
    return undefined;
  }
  switch (kind) {
    case 'number':
      return Number.isFinite(Number(trimmed)) ? Number(trimmed) : text;
    case 'words': {
      const words = trimmed
        .split(',')
        .map(word => word.trim())
        .filter(Boolean);
      return words.length > 1 ? words : words[0];
    }
    case 'json':
    case 'map':
    case 'list':
      return parsed(trimmed) ?? text;
    default:
      return text;
  }
}

/** True, false, an object or a list of JSON; undefined for anything else, which is meant as it stands. */
function parsed(text: string): PartialJSONValue | undefined {
  try {
    const value = JSON.parse(text) as PartialJSONValue;
    return typeof value === 'boolean' ||
      (typeof value === 'object' && value !== null)
      ? value
      : undefined;
  } catch {
    return undefined;
  }
}

/** Rows of a value; null where it cannot be shown as rows, and is shown as text. */
export function rowsOf(
  value: PartialJSONValue | undefined,
  kind: IKind['kind']
): Row[] | null {
  if (value === undefined || value === null) {
    return [];
  }
  if (kind === 'map') {
    return JSONExt.isObject(value as never) && plain(value)
      ? Object.entries(value as Row).map(([name, item]) => ({
          [NAME]: name,
          [VALUE]: item
        }))
      : null;
  }
  return Array.isArray(value) && value.every(plain) ? (value as Row[]) : null;
}

/** An object without objects in it. */
function plain(value: PartialJSONValue | undefined): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every(item => typeof item !== 'object')
  );
}

/**
 * The value of rows: without parts that are empty, rows that have none, and names that are not there yet; undefined for no rows.
 */
export function valueOf(
  rows: ReadonlyArray<Row>,
  kind: IKind['kind']
): PartialJSONValue | undefined {
  if (kind === 'map') {
    const named = rows.filter(row => shown(row[NAME]).trim());
    return named.length
      ? Object.fromEntries(
          named.map(row => [shown(row[NAME]).trim(), row[VALUE] ?? ''])
        )
      : undefined;
  }
  const filled = rows
    .map(row =>
      Object.fromEntries(
        Object.entries(row).filter(
          ([, item]) => item !== undefined && item !== '' && item !== false
        )
      )
    )
    .filter(row => Object.keys(row).length);
  return filled.length ? filled : undefined;
}

/** Why values do not fit, by their keys. */
export type Ask = (
  options: Record<string, unknown>
) => Promise<Readonly<Record<string, string>>>;

/** Milliseconds in which questions are gathered. */
const GATHER = 50;

/** The same with what is asked nearly at once asked once: the fields of a form that appears ask each for itself. */
export function together(ask: Ask): Ask {
  let waiting: {
    options: Record<string, unknown>;
    answer: ReturnType<Ask>;
  } | null = null;
  return options => {
    const all = (waiting?.options ?? {}) as Record<string, unknown>;
    Object.assign(all, options);
    waiting ??= {
      options: all,
      answer: new Promise<void>(resolve => setTimeout(resolve, GATHER)).then(
        () => {
          waiting = null;
          return ask(all);
        }
      )
    };
    return waiting.answer;
  };
}
