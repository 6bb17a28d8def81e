import { MlopsClient, Model } from '../api';
import { Differences, ModelEvent } from '../registry';
import { Resource } from './resource';

/** Registered models with their versions. */
export class ModelsModel extends Resource<ReadonlyArray<Model>> {
  /** `client` gives the client of the target whose registry is shown. */
  constructor(client: MlopsClient | (() => MlopsClient)) {
    super();
    this._at = typeof client === 'function' ? client : () => client;
  }

  /** Who moved an alias or deleted a version, when and why; oldest first. */
  history(model: string): Promise<ReadonlyArray<ModelEvent>> {
    return this._at().registry.history(model);
  }

  /** What differs between two versions. */
  differences(model: string, from: string, to: string): Promise<Differences> {
    return this._at().registry.differences(model, from, to);
  }

  /** Let an alias name a version; `reason` is recorded. */
  async setAlias(
    model: string,
    alias: string,
    tag: string,
    reason = ''
  ): Promise<void> {
    const changed = await this._at().setAlias(model, alias, tag, reason);
    this.set(
      (this.value ?? []).map(other =>
        other.name === changed.name ? changed : other
      )
    );
  }

  async deleteVersion(model: string, tag: string): Promise<void> {
    await this._at().deleteVersion(model, tag);
    await this.refresh();
  }

  protected load(): Promise<ReadonlyArray<Model>> {
    return this._at().models();
  }

  private _at: () => MlopsClient;
}
