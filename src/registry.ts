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

/** How requests are made: the client's own way, with its target and its errors. */
export interface IAsk {
  json<T>(path: string[], query?: Record<string, string>): Promise<T>;
  remove(path: string[], query?: Record<string, string>): Promise<void>;
}

/** One method per operation of `api.yaml`. */
export class RegistryClient {
  constructor(private _ask: IAsk) {}

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

  /** `of` is `models/NAME:TAG` or `datasets/NAME:TAG`. */
  lineage(of: string, direction: Direction): Promise<LineageNode> {
    return this._ask.json(['lineage'], { of, direction });
  }
}
