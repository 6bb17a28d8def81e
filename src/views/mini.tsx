import { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { ReactWidget } from '@jupyterlab/ui-components';
import { PromiseDelegate } from '@lumino/coreutils';
import React from 'react';

import { Run } from '../api';
import { CommandIDs } from '../commands/ids';
import { metric, phaseLabel, place } from '../format';
import { RunModel } from '../models/run';
import { isDone } from '../models/runs';
import { progressText } from '../models/progress';
import { RunProgress } from '../panels/runs';
import { Live, Took } from '../parts/live';
import { PhaseIcon, PhasePill } from '../parts/phase';
import { Action, Loading, Problem } from '../parts/states';
import { IContext, IMlopsModel } from '../tokens';

/** `{"run": name, "target": name}`: a run in the output of a cell. The kernel needs no connection to the server for it. */
export const RUN_MIME = 'application/vnd.jupyter-mlops.run+json';

/** A run, live, in the output of a cell. */
export class RunRenderer extends ReactWidget implements IRenderMime.IRenderer {
  constructor(private _context: IContext) {
    super();
    this.addClass('jp-mlops-mini');
    this._context.model.runChanged.connect(this._onRunChanged, this);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const data = model.data[RUN_MIME] as {
      run?: unknown;
      target?: unknown;
    } | null;
    const name = typeof data?.run === 'string' ? data.run : '';
    const target = typeof data?.target === 'string' ? data.target : undefined;
    if (this._model?.name !== name || this._target !== target) {
      this._model?.dispose();
      this._target = target;
      this._model = name
        ? new RunModel(this._context.model.client.at(target), name)
        : null;
      this._model?.start();
    }
    this.update();
    // Rendered is rendered: waiting for the server would hold up the notebook.
    const done = new PromiseDelegate<void>();
    done.resolve();
    return done.promise;
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._context.model.runChanged.disconnect(this._onRunChanged, this);
    this._model?.dispose();
    super.dispose();
  }

  protected render(): JSX.Element {
    const model = this._model;
    const { trans } = this._context;
    if (!model) {
      return <p>{trans.__('This output names no run.')}</p>;
    }
    return (
      <Live on={[model.changed]}>
        {() => {
          if (model.value) {
            return <Mini run={model.value} context={this._context} />;
          }
          return model.error ? (
            <Problem
              error={model.error}
              trans={trans}
              onRetry={() => void model.refresh()}
            />
          ) : (
            <Loading trans={trans} />
          );
        }}
      </Live>
    );
  }

  private _onRunChanged(_: IMlopsModel, name: string): void {
    if (name === this._model?.name) {
      this._model.poke();
    }
  }

  private _model: RunModel | null = null;
  private _target: string | undefined;
}

function Mini(props: { run: Run; context: IContext }): JSX.Element {
  const { run, context } = props;
  const { trans, commands } = context;
  const metrics = Object.entries(run.metrics);
  const which = { run: run.name, ...(run.target && { target: run.target }) };
  return (
    <section aria-label={trans.__('Run %1', run.name)}>
      <div className="jp-mlops-row">
        <strong>{run.pipeline}</strong>
        <PhasePill phase={run.phase} trans={trans} />
        <span className="jp-mlops-hint">
          {!isDone(run.phase) && progressText(run, trans)}
          {typeof run.started === 'number' && (
            <>
              {!isDone(run.phase) && ' · '}
              <Took
                started={run.started}
                finished={run.finished}
                trans={trans}
              />
            </>
          )}
        </span>
        <span className="jp-mlops-spacer" />
        {!isDone(run.phase) && (
          <Action
            small
            onClick={() => void commands.execute(CommandIDs.stopRun, which)}
          >
            {trans.__('Stop')}
          </Action>
        )}
        <Action
          small
          onClick={() => void commands.execute(CommandIDs.openRun, which)}
        >
          {trans.__('Show')}
        </Action>
      </div>
      {!isDone(run.phase) && <RunProgress run={run} trans={trans} />}
      <ol className="jp-mlops-mini-steps" aria-label={trans.__('Steps')}>
        {run.steps.map(step => (
          <li key={step.name} title={step.message}>
            <PhaseIcon
              phase={step.phase}
              label={phaseLabel(step.phase, trans)}
            />
            {step.name}
          </li>
        ))}
      </ol>
      {run.failure && (
        <p className="jp-mlops-message">
          {run.failure.message}{' '}
          <span className="jp-mlops-hint">{place(run.failure, trans)}</span>
        </p>
      )}
      {(metrics.length > 0 || run.models.length > 0) && (
        <p className="jp-mlops-chips">
          {metrics.map(([name, value]) => (
            <span className="jp-mlops-chip" key={name}>
              {name} {metric(value)}
            </span>
          ))}
          {run.models.map(({ name, tag }) => (
            <span className="jp-mlops-chip" key={`${name}:${tag}`}>
              {name}:{tag}
            </span>
          ))}
        </p>
      )}
    </section>
  );
}
