import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import {
  ReactWidget,
  deleteIcon,
  notebookIcon,
  refreshIcon,
  runIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import React, { useCallback, useState } from 'react';

import { Run, StepRun } from '../api';
import { CommandIDs } from '../commands/ids';
import { cellRange, phaseLabel } from '../format';
import { RunModel } from '../models/run';
import { isDone } from '../models/runs';
import { RunProgress } from '../panels/runs';
import { Cause, ClusterFacts, blameLabel } from '../parts/cause';
import { Graph } from '../parts/graph';
import { Ago, Live, Took } from '../parts/live';
import { PhasePill } from '../parts/phase';
import { Action, Loading, Problem } from '../parts/states';
import { Tabs } from '../parts/tabs';
import { targetLabel } from '../parts/target';
import { IContext, IMlopsModel } from '../tokens';
import { LogPane } from './log';
import { Outputs } from './outputs';
import { Overview } from './overview';

/** A run in the main area: graph, states, outputs, logs, what went in and came out. */
export class RunView extends ReactWidget {
  constructor(
    readonly run: string,
    private _context: IContext,
    private _rendermime: IRenderMimeRegistry,
    /** Where it runs; the server's default target where absent. */
    readonly target?: string
  ) {
    super();
    this.addClass('jp-mlops-view');
    const { model } = _context;
    this._model = new RunModel(model.client.at(target), run);
    model.runs.changed.connect(this._onRuns, this);
    model.runChanged.connect(this._onRunChanged, this);
    this._onRuns();
    this._model.start();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    const { model } = this._context;
    model.runs.changed.disconnect(this._onRuns, this);
    model.runChanged.disconnect(this._onRunChanged, this);
    this._model.dispose();
    super.dispose();
  }

  protected render(): JSX.Element {
    const { trans, model } = this._context;
    return (
      <Live on={[this._model.changed, model.pipeline.changed]}>
        {() => {
          const { value, error } = this._model;
          return (
            <>
              {error && (
                <Problem
                  error={error}
                  trans={trans}
                  onRetry={() => void this._model.refresh()}
                />
              )}
              {value ? (
                <RunPage
                  run={value}
                  context={this._context}
                  rendermime={this._rendermime}
                  visible={this.isVisible}
                  target={this.target}
                />
              ) : (
                !error && <Loading trans={trans} />
              )}
            </>
          );
        }}
      </Live>
    );
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.update();
    this._model.poke();
  }

  protected override onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this.update();
  }

  private _onRuns(): void {
    const { runs, targets } = this._context.model;
    const run = runs.find(this.run);
    if (run && targets.current === this.target) {
      this._model.offer(run);
    }
  }

  private _onRunChanged(_: IMlopsModel, name: string): void {
    if (name === this.run) {
      this._model.poke();
    }
  }

  private _model: RunModel;
}

interface IPageProps {
  run: Run;
  context: IContext;
  rendermime: IRenderMimeRegistry;
  visible: boolean;
  target: string | undefined;
}

type Tab = 'overview' | 'outputs' | 'logs';

function RunPage(props: IPageProps): JSX.Element {
  const { run, context, visible, target } = props;
  const { trans, model } = context;
  const [tab, setTab] = useState<Tab>('overview');
  const [step, setStep] = useState<string | null>(null);
  const fetch = useCallback(
    (query: { offset: number; limit: number }) =>
      model.client
        .at(target)
        .runLogs(run.name, { ...query, step: step ?? undefined }),
    [model, target, run.name, step]
  );
  return (
    <div className="jp-mlops-page">
      <Head {...props} />
      <Waiting {...props} />
      {run.failure && <FailureBox run={run} context={context} />}
      <Graph
        label={trans.__('Steps of the run')}
        direction="right"
        selected={step}
        onSelect={name => setStep(name === step ? null : name)}
        nodes={run.steps.map(one => node(one, context))}
      />
      <Tabs<Tab>
        label={trans.__('About the run')}
        current={tab}
        onSelect={setTab}
        tabs={[
          { key: 'overview', label: trans.__('Overview') },
          { key: 'outputs', label: trans.__('Outputs') },
          { key: 'logs', label: trans.__('Logs') }
        ]}
      >
        {step && (
          <p className="jp-mlops-filter">
            {trans.__('Only the step %1.', step)}{' '}
            <button className="jp-mlops-link" onClick={() => setStep(null)}>
              {trans.__('Show all')}
            </button>
          </p>
        )}
        {tab === 'overview' && <Overview {...props} step={step} />}
        {tab === 'outputs' && <Outputs {...props} step={step} />}
        {tab === 'logs' && (
          <LogPane
            fetch={fetch}
            label={trans.__('Log of the run')}
            visible={visible}
            showStep={step === null}
            trans={trans}
          />
        )}
      </Tabs>
    </div>
  );
}

function node(step: StepRun, { trans }: IContext) {
  const phase = phaseLabel(step.phase, trans);
  const [k, n] = step.progress ?? [0, 0];
  const running = step.phase === 'Running' && n > 0;
  const cells = waits(step)
    ? trans.__('waits for a person')
    : cellRange(step.cells, trans);
  return {
    id: step.name,
    needs: step.needs,
    phase: step.phase,
    phaseLabel: phase,
    detail: running
      ? trans.__('cell %1 of %2', Math.min(k + 1, n), n)
      : step.cached
        ? trans.__('from the cache')
        : cells,
    progress: running ? k / n : undefined,
    label: [step.name, phase, cells].filter(Boolean).join(', ')
  };
}

/** A step without cells has nothing to do but to wait for an approval. */
function waits(step: StepRun): boolean {
  return step.phase === 'Running' && step.cells.length === 0;
}

/** Why steps cannot start or have just failed, at the top until the run has ended; its failure has its own box. */
function Waiting(props: IPageProps): JSX.Element | null {
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

function Head(props: IPageProps): JSX.Element {
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

function FailureBox(props: { run: Run; context: IContext }): JSX.Element {
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
