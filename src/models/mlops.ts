import { Event } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { MlopsClient } from '../api';
import { IMlopsModel } from '../tokens';
import { ModelsModel } from './models';
import { PipelineModel } from './pipeline';
import { RunsModel } from './runs';
import { ServerModel } from './server';
import { ServicesModel } from './services';

/** Id of the server's event schema: `kind`, `name`, `phase` and `revision` of what changed. */
export const CHANGED = 'https://jupyter-mlops.github.io/events/changed/v2';

/** All models of the front end, and the server's events that keep them fresh. */
export class MlopsModel implements IMlopsModel, IDisposable {
  constructor(
    readonly client: MlopsClient,
    version: string,
    events: Event.IManager
  ) {
    this.server = new ServerModel(client, version);
    this.pipeline = new PipelineModel(client);
    this.runs = new RunsModel(client);
    this.models = new ModelsModel(client);
    this.services = new ServicesModel(client);
    this._events = events;
    events.stream.connect(this._onEvent, this);
  }

  readonly server: ServerModel;
  readonly pipeline: PipelineModel;
  readonly runs: RunsModel;
  readonly models: ModelsModel;
  readonly services: ServicesModel;

  /** Names of runs that the server says have changed. */
  get runChanged(): ISignal<this, string> {
    return this._runChanged;
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
      this.runs,
      this.models,
      this.services
    ]) {
      part.dispose();
    }
    Signal.clearData(this);
  }

  private _onEvent(_: Event.IManager, event: Event.Emission): void {
    if (event.schema_id !== CHANGED) {
      return;
    }
    switch (event.kind) {
      case 'run':
        this.runs.poke();
        this._runChanged.emit(String(event.name));
        break;
      case 'model':
        this.models.poke();
        break;
      case 'service':
        this.services.poke();
        break;
    }
  }

  private _isDisposed = false;
  private _events: Event.IManager;
  private _runChanged = new Signal<this, string>(this);
}
