import React from 'react';

import { Run } from '../api';
import { CommandIDs } from '../commands/ids';
import { ClusterFacts, blameLabel } from '../parts/cause';
import { Problem } from '../parts/states';
import { IContext } from '../tokens';

/** Why a run failed, with its cell, what the cluster said and the traceback. */
export function FailureBox(props: {
  run: Run;
  context: IContext;
}): JSX.Element {
  const { run, context } = props;
  const { trans, commands } = context;
  const failure = run.failure!;
  const traceback = failure.traceback ?? [];
  return (
    <Problem
      error={failure}
      trans={trans}
      onShow={
        run.notebook
          ? () =>
              void commands.execute(CommandIDs.reveal, {
                path: run.notebook,
                cell: failure.cell ?? null,
                line: failure.line ?? null
              })
          : undefined
      }
    >
      {failure.step && (
        <p className="jp-mlops-hint">
          {trans.__('In the step %1', failure.step)} ·{' '}
          {blameLabel(failure.blame, trans)}
        </p>
      )}
      <ClusterFacts facts={failure.facts ?? []} trans={trans} />
      {traceback.length > 0 && (
        <details className="jp-mlops-details">
          <summary>{trans.__('Traceback')}</summary>
          <pre tabIndex={0}>{traceback.join('\n')}</pre>
        </details>
      )}
    </Problem>
  );
}
