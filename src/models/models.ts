import { MlopsClient, Model } from '../api';
import { Resource } from './resource';

/** Registered models with their versions. */
export class ModelsModel extends Resource<ReadonlyArray<Model>> {
  /** `client` gives the client of the target whose registry is shown. */
  constructor(client: MlopsClient | (() => MlopsClient)) {
    super();
    this._at = typeof client === 'function' ? client : () => client;
  }

  async setAlias(model: string, alias: string, tag: string): Promise<void> {
    const changed = await this._at().setAlias(model, alias, tag);
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
