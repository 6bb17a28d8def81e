import { MlopsClient, Model } from '../api';
import { Differences, ModelEvent } from '../registry';
import { Resource } from './resource';

/** Models that are shown at first, and that "Show more" adds. */
const PAGE = 100;

/** Registered models with their newest versions: those that are looked for, and the first of them. */
export class ModelsModel extends Resource<ReadonlyArray<Model>> {
  /** `client` gives the client of the target whose registry is shown. */
  constructor(client: MlopsClient | (() => MlopsClient)) {
    super();
    this._at = typeof client === 'function' ? client : () => client;
  }

  /** How many were found; `value` has the first of them. */
  get total(): number {
    return this._total;
  }

  /** The text that is looked for in names and aliases; '' for all. */
  get search(): string {
    return this._search;
  }

  /** Whether the registry has a model, as far as is known. */
  get any(): boolean {
    return this._search !== '' || (this.value ?? []).length > 0;
  }

  /** Look for a text in names and aliases. */
  find(search: string): Promise<void> {
    this._search = search;
    this._limit = PAGE;
    return this.refresh();
  }

  /** Show more of what was found. */
  more(): Promise<void> {
    this._limit += PAGE;
    return this.refresh();
  }

  /** Show all versions of a model from now on. */
  async whole(name: string): Promise<void> {
    this._whole.add(name);
    const found = await this._at().registry.model(name);
    this.set(
      (this.value ?? []).map(model => (model.name === name ? found : model))
    );
  }

  /** Another registry: what is looked for stays, since the panel still shows it. */
  override reset(): void {
    this._limit = PAGE;
    this._whole.clear();
    super.reset();
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

  protected async load(): Promise<ReadonlyArray<Model>> {
    const { registry } = this._at();
    const search = this._search;
    const page = await registry.models(search, this._limit);
    const models = await Promise.all(
      page.models.map(model =>
        this._whole.has(model.name) && hidden(model) > 0
          ? registry.model(model.name)
          : model
      )
    );
    if (search !== this._search) {
      return this.load(); // something else was typed meanwhile
    }
    this._total = page.total;
    return models;
  }

  private _at: () => MlopsClient;
  private _total = 0;
  private _search = '';
  private _limit = PAGE;
  private _whole = new Set<string>();
}

/** Versions of a model that are not in the list. */
export function hidden(model: Model): number {
  return Math.max(0, (model.count ?? 0) - model.versions.length);
}
