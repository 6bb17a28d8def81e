import { IStateDB } from '@jupyterlab/statedb';

import {
  Check,
  MlopsClient,
  MlopsError,
  Target,
  TargetSettings,
  Targets,
  asMlopsError
} from '../api';
import { Resource } from './resource';

/** Name of the target "This machine". */
export const LOCAL = 'local';

/** Where the choice is kept. */
const KEY = 'jupyter-mlops:target';

/** Where runs and services go, which of these is the current one, and what is known of their health. */
export class TargetsModel extends Resource<Targets> {
  constructor(
    private _client: MlopsClient,
    private _state: Pick<IStateDB, 'fetch' | 'save'> | null = null
  ) {
    super();
  }

  /** Name of the target that panels show and that Run and Deploy use; undefined until one is known. */
  get current(): string | undefined {
    return this._chosen ?? this.value?.default;
  }

  get targets(): ReadonlyArray<Target> {
    return this.value?.targets ?? [];
  }

  /** Whether there is anything to choose from. */
  get several(): boolean {
    return this.targets.length > 1;
  }

  find(name: string | undefined): Target | undefined {
    return this.targets.find(target => target.name === name);
  }

  /** Whether a target is being checked now. */
  isBusy(name: string): boolean {
    return this._busy.has(name);
  }

  /** Why the last check or change of a target did not come to an end. */
  problem(name: string): MlopsError | undefined {
    return this._problems.get(name);
  }

  /** The choice of the last visit. A target that is gone since is not taken. */
  async restore(): Promise<void> {
    let kept: unknown;
    try {
      kept = await this._state?.fetch(KEY);
    } catch {
      // A state that cannot be read is none.
    }
    await this.refresh();
    if (typeof kept === 'string' && this.find(kept) && !this._chosen) {
      this._chosen = kept;
    }
    if (this.error && !this.value) {
      // Targets cannot be told, but this machine is always there.
      this._chosen ??= LOCAL;
    }
    this.emit();
  }

  /** Make a target the current one. */
  choose(name: string): void {
    if (name !== this.current) {
      this._chosen = name;
      void this._state?.save(KEY, name).catch(() => undefined);
      this.emit();
    }
  }

  /** Look now whether a target works. Never rejects: see `problem`. */
  async check(name: string): Promise<void> {
    await this._change(name, () => this._client.checkTarget(name));
  }

  /** Change settings of a target, and look whether it works with them. Rejects where they are refused. */
  async configure(name: string, settings: TargetSettings): Promise<void> {
    this._replace(await this._client.setTarget(name, settings));
    this.configured.forEach(listener => listener(name));
    await this.check(name);
  }

  /** Told of a target whose settings were changed: it is another place. */
  readonly configured = new Set<(name: string) => void>();

  protected load(): Promise<Targets> {
    return this._client.targets();
  }

  private async _change(
    name: string,
    work: () => Promise<Target>
  ): Promise<void> {
    if (this._busy.has(name)) {
      return;
    }
    this._busy.add(name);
    this._problems.delete(name);
    this.emit();
    try {
      this._replace(await work());
    } catch (reason) {
      this._problems.set(name, asMlopsError(reason));
    } finally {
      this._busy.delete(name);
      this.emit();
    }
  }

  private _replace(target: Target): void {
    if (this.value && !this.isDisposed) {
      this.set({
        ...this.value,
        targets: this.targets.map(other =>
          other.name === target.name ? target : other
        )
      });
    }
  }

  private _chosen: string | undefined;
  private _busy = new Set<string>();
  private _problems = new Map<string, MlopsError>();
}

/** The first of the worst findings; undefined where nothing is wrong. */
export function missing(target: Target): Check | undefined {
  return (
    target.checks.find(check => check.level === 'fail') ??
    target.checks.find(check => check.level === 'warn')
  );
}
