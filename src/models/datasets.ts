import { MlopsClient } from '../api';
import { DatasetVersion } from '../registry';
import { Resource } from './resource';

/** Recorded datasets, each with its newest version. */
export class DatasetsModel extends Resource<ReadonlyArray<DatasetVersion>> {
  /** `at` gives the client of the target whose registry is shown. */
  constructor(private _at: () => MlopsClient) {
    super();
  }

  /** All versions of one, newest first. */
  versions(name: string): Promise<ReadonlyArray<DatasetVersion>> {
    return this._at().registry.versions(name);
  }

  /** Delete a version; `reason` is needed where something was made of it. */
  async remove(name: string, tag: string, reason = ''): Promise<void> {
    await this._at().registry.remove(name, tag, reason);
    await this.refresh();
  }

  protected load(): Promise<ReadonlyArray<DatasetVersion>> {
    return this._at().registry.datasets();
  }
}
