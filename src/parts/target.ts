import { TranslationBundle } from '@jupyterlab/translation';

/** A target by the name that people see. */
export function targetLabel(
  name: string | undefined,
  trans: TranslationBundle
): string {
  return name === undefined || name === 'local'
    ? trans.__('This machine')
    : name;
}
