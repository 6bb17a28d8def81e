import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import {
  deleteIcon,
  notebookIcon,
  refreshIcon,
  runIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import React from 'react';

import { Run, StepRun } from '../api';
import { CommandIDs } from '../commands/ids';
import { isDone } from '../models/runs';
import { RunProgress } from '../panels/runs';
import { Ago, Took } from '../parts/live';
import { PhasePill } from '../parts/phase';
import { Action } from '../parts/states';
import { targetLabel } from '../parts/target';
import { IContext } from '../tokens';

/** What every part of a run's page is given. */
export interface IRunProps {
  run: Run;
  context: IContext;
  rendermime: IRenderMimeRegistry;
  visible: boolean;
  target: string | undefined;
}

/** A step without cells has nothing to do but to wait for an approval. */
export function waits(step: StepRun): boolean {
  return step.phase === 'Running' && step.cells.length === 0;
}

/** Name and state of the run, and what can be done with it. */
export function Head(props: IRunProps): JSX.Element {
  const { run, context, target } = props;
  const { trans, commands, model } = context;
  const execute = (command: string) =>
    void commands.execute(command, {
      run: run.name,
      ...(target === undefined ? {} : { target })
    });
  const changed =
    run.notebook !== null &&
    run.notebook !== undefined &&
    model.pipeline.changedSince(run.notebook, run.source_digest);
  return (
    <div className="jp-mlops-head">
      <div className="jp-mlops-row">
        <h2>{run.pipeline}</h2>
        <PhasePill phase={run.phase} trans={trans} />
        {run.paused && !isDone(run.phase) && (
          <span className="jp-mlops-chip" role="status">
            {trans.__('paused')}
          </span>
        )}
        {changed && (
          <span
            className="jp-mlops-chip jp-mlops-changed"
            title={trans.__(
              'The notebook is not as it was when this run began'
            )}
          >
            {trans.__('changed since')}
          </span>
        )}
        <span className="jp-mlops-spacer" />
        {isDone(run.phase) ? (
          <>
            {run.phase !== 'Succeeded' && (
              <Action
                icon={runIcon}
                title={trans.__(
                  'Run it again; steps that finished and are as they were are not run'
                )}
                onClick={() => execute(CommandIDs.resumeRun)}
              >
                {trans.__('Resume')}
              </Action>
            )}
            <Action
              icon={refreshIcon}
              onClick={() => execute(CommandIDs.runAgain)}
            >
              {trans.__('Run Again')}
            </Action>
          </>
        ) : (
          <>
            {run.steps.some(waits) && (
              <Action
                primary
                title={trans.__('Let the step go on that waits for a person')}
                onClick={() => execute(CommandIDs.approveRun)}
              >
                {trans.__('Approve')}
              </Action>
            )}
            {run.paused ? (
              <Action
                icon={runIcon}
                onClick={() => execute(CommandIDs.unpauseRun)}
              >
                {trans.__('Continue')}
              </Action>
            ) : (
              <Action
                title={trans.__('Start no further step; steps that run go on')}
                onClick={() => execute(CommandIDs.pauseRun)}
              >
                {trans.__('Pause')}
              </Action>
            )}
            <Action icon={stopIcon} onClick={() => execute(CommandIDs.stopRun)}>
              {trans.__('Stop')}
            </Action>
          </>
        )}
        <Action
          icon={notebookIcon}
          disabled={!run.executed}
          title={
            run.executed
              ? trans.__('Open the notebook with the outputs of this run')
              : trans.__('There are no outputs yet')
          }
          onClick={() => execute(CommandIDs.openExecuted)}
        >
          {trans.__('Open Executed Notebook')}
        </Action>
        <Action onClick={() => execute(CommandIDs.workflow)}>
          {trans.__('YAML')}
        </Action>
        <Action
          icon={deleteIcon}
          label={trans.__('Delete this run')}
          title={trans.__('Delete this run')}
          onClick={() => execute(CommandIDs.deleteRun)}
        >
          {null}
        </Action>
      </div>
      <p className="jp-mlops-hint">
        {run.name} · {targetLabel(run.target, trans)} ·{' '}
        <Ago time={run.created} trans={trans} />
        {typeof run.started === 'number' && (
          <>
            {' · '}
            <Took started={run.started} finished={run.finished} trans={trans} />
          </>
        )}
        {run.resumed && (
          <>
            {' · '}
            {trans.__('goes on from %1', run.resumed)}
          </>
        )}
        {run.notebook && (
          <>
            {' · '}
            <button
              className="jp-mlops-link"
              onClick={() =>
                void commands.execute(CommandIDs.reveal, {
                  path: run.notebook
                })
              }
            >
              {run.notebook}
            </button>
          </>
        )}
      </p>
      {!isDone(run.phase) && <RunProgress run={run} trans={trans} />}
    </div>
  );
}
