import { TranslationBundle } from '@jupyterlab/translation';
import { stopIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { Run } from '../api';
import { CommandIDs } from '../commands/ids';
import { phaseLabel } from '../format';
import { progressOf, progressText } from '../models/progress';
import { isDone } from '../models/runs';
import { Ago } from '../parts/live';
import { PhaseIcon } from '../parts/phase';
import { Action, Empty, IconAction } from '../parts/states';
import { IContext } from '../tokens';
import { Loaded } from './resource';

/** All runs, newest first, live. */
export function RunsPanel(props: { context: IContext }): JSX.Element {
  const { context } = props;
  const { model, trans } = context;
  return (
    <Loaded resource={model.runs} context={context}>
      {({ runs }) =>
        runs.length === 0 ? (
          <Empty
            message={trans.__('No runs yet.')}
            hint={trans.__('Convert a notebook, then press Run.')}
          />
        ) : (
          <>
            <ul className="jp-mlops-list" aria-label={trans.__('Runs')}>
              {runs.map(run => (
                <RunItem key={run.name} run={run} context={context} />
              ))}
            </ul>
            {model.runs.hasMore && (
              <div className="jp-mlops-actions">
                <Action onClick={() => void model.runs.loadMore()}>
                  {trans.__('Load More')}
                </Action>
              </div>
            )}
          </>
        )
      }
    </Loaded>
  );
}

function RunItem(props: { run: Run; context: IContext }): JSX.Element {
  const { run, context } = props;
  const { trans, commands } = context;
  const which = { run: run.name, ...(run.target && { target: run.target }) };
  const waits = isDone(run.phase)
    ? undefined
    : run.steps.find(step => step.cause && !isDone(step.phase))?.cause;
  return (
    <li className="jp-mlops-item" data-run={run.name}>
      <button
        className="jp-mlops-item-main"
        title={run.name}
        onClick={() => void commands.execute(CommandIDs.openRun, which)}
      >
        <PhaseIcon phase={run.phase} label={phaseLabel(run.phase, trans)} />
        <span className="jp-mlops-item-text">
          <span className="jp-mlops-item-line">
            <span className="jp-mlops-item-name">{run.name}</span>
            <span className="jp-mlops-hint jp-mlops-item-time">
              <Ago time={run.created} trans={trans} />
            </span>
          </span>
          <span className="jp-mlops-hint" title={progressText(run, trans)}>
            {progressText(run, trans)}
          </span>
        </span>
      </button>
      {!isDone(run.phase) && (
        <IconAction
          icon={stopIcon}
          label={trans.__('Stop %1', run.name)}
          onClick={() => void commands.execute(CommandIDs.stopRun, which)}
        />
      )}
      {!isDone(run.phase) && <RunProgress run={run} trans={trans} />}
      {waits && (
        <p className="jp-mlops-message jp-mlops-item-wide">{waits.message}</p>
      )}
    </li>
  );
}

/** Part of a run that is done, as a bar. */
export function RunProgress(props: {
  run: Run;
  trans: TranslationBundle;
}): JSX.Element {
  const part = progressOf(props.run);
  return (
    <div
      className="jp-mlops-progress"
      role="progressbar"
      aria-label={props.trans.__('Progress')}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(100 * part)}
    >
      <div style={{ width: `${100 * part}%` }} />
    </div>
  );
}
