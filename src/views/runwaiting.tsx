import React from 'react';

import { isDone } from '../models/runs';
import { Cause } from '../parts/cause';
import { IRunProps } from './runhead';

/** Why steps cannot start or have just failed, at the top until the run has ended; its failure has its own box. */
export function Waiting(props: IRunProps): JSX.Element | null {
  const { run, context } = props;
  const waiting = run.steps.filter(step => step.cause && !isDone(step.phase));
  return waiting.length === 0 ? null : (
    <div className="jp-mlops-waiting" role="status">
      {waiting.map(step => (
        <div key={step.name}>
          <strong>
            {step.failing
              ? context.trans.__('%1 failed', step.name)
              : context.trans.__('%1 waits', step.name)}
          </strong>
          <Cause cause={step.cause!} trans={context.trans} />
        </div>
      ))}
    </div>
  );
}
