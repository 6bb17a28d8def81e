/**
 * Rows that a model is called with, and the predictions that come back, as text and as tables.
 */
import { TranslationBundle } from '@jupyterlab/translation';

/** One row a line, so that rows are easily added and taken away. */
export function rowsText(rows: ReadonlyArray<unknown>): string {
  return rows.length
    ? `[\n${rows.map(row => `  ${JSON.stringify(row)}`).join(',\n')}\n]`
    : '[]';
}

/** The rows of a text: a list, or an object with `instances` as the server takes it. */
export function rowsOf(
  text: string,
  trans: TranslationBundle
): { rows: ReadonlyArray<unknown> | null; problem: string | null } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (reason) {
    return {
      rows: null,
      problem: trans.__('This is not JSON: %1', (reason as Error).message)
    };
  }
  if (typeof value === 'object' && value !== null && 'instances' in value) {
    value = value.instances;
  }
  if (!Array.isArray(value)) {
    return { rows: null, problem: trans.__('A list of rows is needed.') };
  }
  return value.length === 0
    ? { rows: null, problem: trans.__('At least one row is needed.') }
    : { rows: value, problem: null };
}

/** Names of the columns where every prediction is an object; none otherwise. */
export function columnsOf(predictions: ReadonlyArray<unknown>): string[] {
  const names = new Set<string>();
  for (const prediction of predictions) {
    if (
      typeof prediction !== 'object' ||
      prediction === null ||
      Array.isArray(prediction)
    ) {
      return [];
    }
    Object.keys(prediction).forEach(name => names.add(name));
  }
  return [...names];
}
