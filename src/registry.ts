/**
 * What the registry has besides models: datasets, and where versions come from.
 */
import type { components } from './api-types';

type Schemas = components['schemas'];

export type Dataset = Schemas['Dataset'];
export type DatasetFiles = Schemas['DatasetFiles'];
export type DatasetVersion = Schemas['DatasetVersion'];

/** A version of a model or dataset; `next` are those that it was made of, or that were made of it. */
export type LineageNode = Schemas['Lineage'];

/** `up` is what made it, `down` what was made of it. */
export type Direction = 'up' | 'down';

export type Model = Schemas['Model'];

/** The first models that were found, and how many there are. */
export type ModelPage = Schemas['Models'];

export type Differences = Schemas['ModelDifferences'];

/** A moved alias (`from`, `to`: digests), or a deleted version. */
export interface ModelEvent {
  readonly action?: string;
  readonly actor?: string;
  readonly time?: string;
  readonly alias?: string;
  readonly from?: string | null;
  readonly to?: string | null;
  readonly tag?: string;
  readonly reason?: string;
}

/** How requests are made: the client's own way, with its target and its errors. */
export interface IAsk {
  json<T>(path: string[], query?: Record<string, string | number>): Promise<T>;
  remove(path: string[], query?: Record<string, string>): Promise<void>;
}

/** One method per operation of `api.yaml`. */
export class RegistryClient {
  constructor(private _ask: IAsk) {}

  /** Models whose name or alias has the text, with their newest versions. */
  models(search = '', limit?: number): Promise<ModelPage> {
    return this._ask.json(['models'], {
      ...(search ? { search } : {}),
      ...(limit ? { limit } : {})
    });
  }

  /** One model with all its versions. */
  model(name: string): Promise<Model> {
    return this._ask.json(['models', name]);
  }

  async datasets(): Promise<DatasetVersion[]> {
    return (await this._ask.json<Schemas['Datasets']>(['datasets'])).datasets;
  }

  async versions(name: string): Promise<DatasetVersion[]> {
    return (await this._ask.json<Dataset>(['datasets', name])).versions;
  }

  files(name: string, tag: string): Promise<DatasetFiles> {
    return this._ask.json(['datasets', name, 'versions', tag]);
  }

  remove(name: string, tag: string, reason: string): Promise<void> {
    return this._ask.remove(
      ['datasets', name, 'versions', tag],
      reason ? { reason } : {}
    );
  }

  /** Who moved an alias of a model or deleted a version, when and why; oldest first. */
  async history(model: string): Promise<ReadonlyArray<ModelEvent>> {
    const found = await this._ask.json<Schemas['History']>([
      'models',
      model,
      'history'
    ]);
    return found.events as ReadonlyArray<ModelEvent>;
  }

  /** What differs between two versions of a model. */
  differences(model: string, from: string, to: string): Promise<Differences> {
    return this._ask.json(['models', model, 'diff'], { from, to });
  }

  /** `of` is `models/NAME:TAG` or `datasets/NAME:TAG`. */
  lineage(of: string, direction: Direction): Promise<LineageNode> {
    return this._ask.json(['lineage'], { of, direction });
  }
}
