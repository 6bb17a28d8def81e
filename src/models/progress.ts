/**
 * How far a run is, as a number and in words.
 */
import { TranslationBundle } from '@jupyterlab/translation';

import { Run } from '../api';
import { phaseLabel } from '../format';
import { isDone } from './runs';

/** Part of a run that is done, 0 to 1, counting cells where they are known. */
export function progressOf(run: Run): number {
  if (run.steps.length === 0) {
    return 0;
  }
  const done = run.steps.reduce((sum, step) => {
    if (isDone(step.phase)) {
      return sum + 1;
    }
    const [k, n] = step.progress ?? [0, 0];
    return sum + (n ? k / n : 0);
  }, 0);
  return done / run.steps.length;
}

/** "train: cell 2 of 5 · step 3 of 4", or how it ended. */
export function progressText(run: Run, trans: TranslationBundle): string {
  const total = run.steps.length;
  const current = run.steps.findIndex(step => step.phase === 'Running');
  if (current >= 0) {
    const step = run.steps[current];
    const [k, n] = step.progress ?? [0, 0];
    return n
      ? trans.__(
          'Step %1 of %2 · %3, cell %4 of %5',
          current + 1,
          total,
          step.name,
          Math.min(k + 1, n),
          n
        )
      : trans.__('Step %1 of %2 · %3', current + 1, total, step.name);
  }
  if (run.failure?.step) {
    return trans.__('Failed in %1', run.failure.step);
  }
  return phaseLabel(run.phase, trans);
}
