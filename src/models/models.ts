import { MlopsClient, Model } from '../api';
import { Resource } from './resource';

/** Registered models with their versions. */
export class ModelsModel extends Resource<ReadonlyArray<Model>> {
  constructor(private _client: MlopsClient) {
    super();
  }

  async setAlias(model: string, alias: string, tag: string): Promise<void> {
    const changed = await this._client.setAlias(model, alias, tag);
    this.set(
      (this.value ?? []).map(other =>
        other.name === changed.name ? changed : other
      )
    );
  }

  async deleteVersion(model: string, tag: string): Promise<void> {
    await this._client.deleteVersion(model, tag);
    await this.refresh();
  }

  protected load(): Promise<ReadonlyArray<Model>> {
    return this._client.models();
  }
}
