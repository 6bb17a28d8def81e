import { Event } from '@jupyterlab/services';
import { IStateDB } from '@jupyterlab/statedb';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { MlopsClient, Phase } from '../api';
import { IMlopsModel } from '../tokens';
import { Direction, LineageNode } from '../registry';
import { CheckModel } from './check';
import { DatasetsModel } from './datasets';
import { FitModel } from './fit';
import { ModelsModel } from './models';
import { PipelineModel } from './pipeline';
import { PreflightModel } from './preflight';
import { RunsModel, isDone } from './runs';
import { ServerModel } from './server';
import { ServicesModel } from './services';
import { LOCAL, TargetsModel } from './targets';

/** Id of the server's event schema: `kind`, `name`, `phase` and `revision` of what changed. */
export const CHANGED = 'https://jupyter-mlops.github.io/events/changed/v2';

/** All models of the front end, and the server's events that keep them fresh. */
export class MlopsModel implements IMlopsModel, IDisposable {
  constructor(
    readonly client: MlopsClient,
    version: string,
    events: Event.IManager,
    state: Pick<IStateDB, 'fetch' | 'save'> | null = null
  ) {
    this.targets = new TargetsModel(client, state);
    const at = () => client.at(this.targets.current);
    this.server = new ServerModel(client, version);
    this.pipeline = new PipelineModel(client);
    this.checks = new CheckModel(client);
    this.fit = new FitModel(client);
    this.preflight = new PreflightModel(client.trans);
    this.runs = new RunsModel(at);
    this.models = new ModelsModel(at);
    this.datasets = new DatasetsModel(at);
    this.services = new ServicesModel(at);
    this._events = events;
    events.stream.connect(this._onEvent, this);
    this.targets.changed.connect(this._onTargets, this);
    this.targets.configured.add(name => {
      this.fit.forget(name);
      if (name === this.targets.current) {
        this._reload();
      }
    });
  }

  readonly server: ServerModel;
  readonly pipeline: PipelineModel;
  /** The last check of each notebook. */
  readonly checks: CheckModel;
  /** What targets find in the notebooks that were converted. */
  readonly fit: FitModel;
  /** The last look into the kernel of each notebook. */
  readonly preflight: PreflightModel;
  readonly runs: RunsModel;
  readonly models: ModelsModel;
  readonly datasets: DatasetsModel;
  readonly services: ServicesModel;
  readonly targets: TargetsModel;

  /** Names of runs that the server says have changed. */
  get runChanged(): ISignal<this, string> {
    return this._runChanged;
  }

  /** What tells of a change to the lineage: runs write it when they end, beside their models and datasets. */
  get told(): ReadonlyArray<ISignal<unknown, unknown>> {
    return [this.runs.changed, this.models.changed, this.datasets.changed];
  }

  /** Where a version comes from, or what was made of it, in the registry of the current target. */
  lineage(of: string, direction: Direction): Promise<LineageNode> {
    return this.client.at(this.targets.current).registry.lineage(of, direction);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._events.stream.disconnect(this._onEvent, this);
    for (const part of [
      this.server,
      this.pipeline,
      this.checks,
      this.fit,
      this.preflight,
      this.runs,
      this.models,
      this.datasets,
      this.services,
      this.targets
    ]) {
      part.dispose();
    }
    Signal.clearData(this);
  }

  private _onEvent(_: Event.IManager, event: Event.Emission): void {
    if (event.schema_id !== CHANGED) {
      return;
    }
    if (event.kind === 'run') {
      this._runChanged.emit(String(event.name));
    }
    if (event.kind === 'check') {
      this.checks.poke(String(event.name));
      return;
    }
    const { current } = this.targets;
    if (current !== undefined && event.target !== current) {
      return;
    }
    switch (event.kind) {
      case 'run':
        this.runs.poke();
        // A cluster's registry tells of no dataset: its runs have recorded theirs when they end.
        if (isDone(String(event.phase) as Phase)) {
          this.datasets.poke();
        }
        break;
      case 'model':
        this.models.poke();
        break;
      case 'dataset':
        this.datasets.poke();
        break;
      case 'service':
        this.services.poke();
        break;
    }
  }

  /** Lists are those of the current target. */
  private _onTargets({ current }: TargetsModel): void {
    const before = this._target;
    this._target = current;
    // What was loaded before a target was known is the default one's.
    if (before !== current && (before ?? LOCAL) !== current) {
      this._reload();
    }
  }

  private _reload(): void {
    this.runs.reset();
    this.models.reset();
    this.datasets.reset();
    this.services.reset();
  }

  private _target: string | undefined;

  private _isDisposed = false;
  private _events: Event.IManager;
  private _runChanged = new Signal<this, string>(this);
}
