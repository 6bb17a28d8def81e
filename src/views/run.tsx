import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import React, { useCallback, useState } from 'react';

import { StepRun } from '../api';
import { cellRange, phaseLabel } from '../format';
import { RunModel } from '../models/run';
import { Graph } from '../parts/graph';
import { Live } from '../parts/live';
import { Loading, Problem } from '../parts/states';
import { Tabs } from '../parts/tabs';
import { IContext, IMlopsModel } from '../tokens';
import { LogPane } from './log';
import { Outputs } from './outputs';
import { Overview } from './overview';
import { Results } from './results';
import { FailureBox } from './runfailure';
import { Head, IRunProps, waits } from './runhead';
import { Waiting } from './runwaiting';

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

type Tab = 'overview' | 'results' | 'outputs' | 'logs';

function RunPage(props: IRunProps): JSX.Element {
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
          { key: 'results', label: trans.__('Charts and Files') },
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
        {tab === 'results' && (
          <Results run={run} step={step} context={context} />
        )}
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
    details: [
      running
        ? trans.__('cell %1 of %2', Math.min(k + 1, n), n)
        : step.cached
          ? trans.__('from the cache')
          : cells
    ].filter(Boolean),
    progress: running ? k / n : undefined,
    label: [step.name, phase, cells].filter(Boolean).join(', ')
  };
}
