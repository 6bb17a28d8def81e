import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { MlopsClient, MlopsError, NotebookCheck, asMlopsError } from '../api';

/** Milliseconds between looks while a check goes on, should the server's events not come through. */
const LOOK = 2000;

/** What is known of a notebook's last check. */
export interface ICheckState {
  readonly check: NotebookCheck | null;
  /** Why it could not be started, stopped or looked at. */
  readonly error: MlopsError | null;
  /** A wish is on its way to the server. */
  readonly busy: boolean;
}

const NOTHING: ICheckState = { check: null, error: null, busy: false };

/** The last check of each notebook, found again in the server after a reload. */
export class CheckModel implements IDisposable {
  constructor(private _client: MlopsClient) {}

  /** Emitted when anything about any check changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** What is known; the first question asks the server. */
  of(path: string): ICheckState {
    const known = this._states.get(path);
    if (!known) {
      this._states.set(path, NOTHING);
      void this.refresh(path);
      return NOTHING;
    }
    return known;
  }

  /** Start to check a saved notebook. Failure is told by `of`. */
  start(path: string, parameters: Record<string, unknown>): Promise<void> {
    return this._ask(path, () => this._client.startCheck(path, parameters));
  }

  /** Ask the notebook's check to stop; it ends a little later. */
  async stop(path: string): Promise<void> {
    const { check } = this.of(path);
    if (check) {
      await this._ask(path, () => this._client.stopCheck(check.name));
    }
  }

  /** Ask the server anew. An outage says nothing about the check: what is known stays. */
  async refresh(path: string): Promise<void> {
    const asked = (this._asked.get(path) ?? 0) + 1;
    this._asked.set(path, asked);
    try {
      const found = await this._client.checks(path);
      if (this._asked.get(path) === asked) {
        this._set(path, { check: found[0] ?? null });
      }
    } catch {
      this._follow(path);
    }
  }

  /** A check of this name has changed, or one began. */
  poke(name: string): void {
    for (const [path, { check }] of this._states) {
      if (!check || check.name === name) {
        void this.refresh(path);
      }
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    for (const timer of this._timers.values()) {
      clearTimeout(timer);
    }
    Signal.clearData(this);
  }

  private async _ask(
    path: string,
    call: () => Promise<NotebookCheck>
  ): Promise<void> {
    this._set(path, { busy: true, error: null });
    // An answer to an older question would put back what was before.
    this._asked.set(path, (this._asked.get(path) ?? 0) + 1);
    try {
      this._set(path, { check: await call(), busy: false });
    } catch (reason) {
      this._set(path, { busy: false, error: asMlopsError(reason) });
      void this.refresh(path);
    }
  }

  private _set(path: string, change: Partial<ICheckState>): void {
    if (this._isDisposed) {
      return;
    }
    this._states.set(path, {
      ...(this._states.get(path) ?? NOTHING),
      ...change
    });
    this._follow(path);
    this._changed.emit();
  }

  /** Look again in a while, for as long as the check goes on. */
  private _follow(path: string): void {
    clearTimeout(this._timers.get(path));
    this._timers.delete(path);
    if (
      !this._isDisposed &&
      this._states.get(path)?.check?.phase === 'Running'
    ) {
      this._timers.set(
        path,
        setTimeout(() => void this.refresh(path), LOOK)
      );
    }
  }

  private _isDisposed = false;
  private _states = new Map<string, ICheckState>();
  private _asked = new Map<string, number>();
  private _timers = new Map<string, ReturnType<typeof setTimeout>>();
  private _changed = new Signal<this, void>(this);
}
