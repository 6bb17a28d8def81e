import { TranslationBundle } from '@jupyterlab/translation';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Conversion, MlopsError, asMlopsError } from '../api';

/** Names that go together from one step to others. */
export interface ICrossing {
  readonly names: ReadonlyArray<string>;
  readonly types: ReadonlyArray<string>;
  /** Bytes; 0 for what cannot be stored. */
  readonly size: number;
  readonly made: ReadonlyArray<string>;
  readonly needed: ReadonlyArray<string>;
  /** Why it cannot be stored; '' if it can. */
  readonly reason: string;
  /** What is wrong, and what mends it; both '' where nothing is. */
  readonly warning: string;
  readonly fix: string;
  /** First and last of the steps that, made one, mend it. */
  readonly join: readonly [string, string] | null;
}

/** What a kernel has of what would go from step to step. */
export interface IPreflight {
  readonly crossings: ReadonlyArray<ICrossing>;
  /** Names that this kernel does not have. */
  readonly absent: ReadonlyArray<string>;
}

/** A question that a kernel was sent. */
export interface IAsked {
  /** The answer: what the expression's value shows as JSON. Rejects with `MlopsError`. */
  readonly answer: Promise<unknown>;
  /** Resolves when the kernel has begun with it. */
  readonly begun: Promise<void>;
  /** Wait no longer; what has begun is interrupted. */
  giveUp(): void;
}

/** The kernel of an open notebook. */
export interface ILiveKernel {
  /** Whether it does something else now. */
  readonly busy: boolean;
  /** Resolves when it is idle or gone, or when the signal says to wait no longer. */
  idle(until: AbortSignal): Promise<void>;
  /** Evaluate an expression of Python that leaves no trace in the session. */
  ask(expression: string): IAsked;
}

/** How a look into a kernel goes. */
export interface IPreflightState {
  /** `waiting`: the kernel does something else; `looking`: it examines its values. */
  readonly phase: 'none' | 'waiting' | 'looking' | 'done' | 'failed';
  readonly found: IPreflight | null;
  /** Seconds since the epoch at which `found` was so. */
  readonly time: number;
  /** The conversion that it is about. */
  readonly conversion: Conversion | null;
  readonly error: MlopsError | null;
}

const NOTHING: IPreflightState = {
  phase: 'none',
  found: null,
  time: 0,
  conversion: null,
  error: null
};

/** Looks into the kernels of open notebooks: what would be handed from step to step, by notebook. */
export class PreflightModel implements IDisposable {
  constructor(private _trans: TranslationBundle) {}

  /** Emitted when anything about any look changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  of(path: string): IPreflightState {
    return this._states.get(path) ?? NOTHING;
  }

  /** Look into a kernel, once it has time; null: none runs. Failure is told by `of`. */
  async look(
    path: string,
    conversion: Conversion,
    kernel: ILiveKernel | null
  ): Promise<void> {
    this.giveUp(path);
    if (!kernel) {
      this._set(path, { phase: 'failed', error: this._noKernel() });
      return;
    }
    const waiting = new AbortController();
    this._waits.set(path, () => waiting.abort());
    this._set(path, { phase: 'waiting', error: null });
    // Nothing is sent to a busy kernel: what is given up then, is never asked.
    if (kernel.busy) {
      await kernel.idle(waiting.signal);
    }
    if (waiting.signal.aborted) {
      return;
    }
    const asked = kernel.ask(expression(path, conversion));
    this._waits.set(path, () => {
      waiting.abort();
      asked.giveUp();
    });
    const tell = (change: Partial<IPreflightState>) => {
      if (!waiting.signal.aborted) {
        this._set(path, change);
      }
    };
    void asked.begun.then(() => {
      if (this.of(path).phase === 'waiting') {
        tell({ phase: 'looking' });
      }
    });
    try {
      const found = (await asked.answer) as IPreflight;
      const time = Date.now() / 1000;
      tell({ phase: 'done', found, conversion, time, error: null });
    } catch (reason) {
      tell({ phase: 'failed', error: asMlopsError(reason) });
    }
    if (!waiting.signal.aborted) {
      this._waits.delete(path);
    }
  }

  /** Wait no longer; what an earlier look has found is shown again. */
  giveUp(path: string): void {
    const stop = this._waits.get(path);
    if (stop) {
      this._waits.delete(path);
      stop();
      this._set(path, { phase: this.of(path).found ? 'done' : 'none' });
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._waits.forEach(stop => stop());
    this._waits.clear();
    Signal.clearData(this);
  }

  private _noKernel(): MlopsError {
    const trans = this._trans;
    return new MlopsError({
      code: 'no-kernel',
      message: trans.__(
        'No kernel runs for this notebook: there are no values to look at.'
      ),
      fix: trans.__('Run its cells, then look again.')
    });
  }

  private _set(path: string, change: Partial<IPreflightState>): void {
    if (!this._isDisposed) {
      this._states.set(path, { ...this.of(path), ...change });
      this._changed.emit();
    }
  }

  private _isDisposed = false;
  private _states = new Map<string, IPreflightState>();
  private _waits = new Map<string, () => void>();
  private _changed = new Signal<this, void>(this);
}

/** What is asked, in Python; a JSON text is written as a text there too. */
export function expression(path: string, conversion: Conversion): string {
  const question = JSON.stringify({
    notebook: path.split('/').pop(),
    steps: conversion.steps.map(({ name, cells }) => ({ name, cells })),
    links: conversion.links
  });
  return `__import__("jupyter_mlops.kernel.browser", fromlist=["_"]).answer(${JSON.stringify(question)})`;
}
