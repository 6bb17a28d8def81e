import { IDisposable } from '@lumino/disposable';
import { IPoll, Poll, Throttler } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { MlopsError, asMlopsError } from '../api';

/** Milliseconds between two reloads that events ask for. */
const EVENT_LIMIT = 500;

/** Milliseconds of the safety net, for events that were lost. */
const IDLE = { interval: 30_000, backoff: true, max: 300_000 };

/** The same while something is going on. */
const BUSY = { ...IDLE, interval: 5_000 };

/** The same while the server does not answer: it was started again once it does, and nobody should have to press Retry. */
const OFFLINE = { interval: 2_000, backoff: true, max: 15_000 };

/**
 * Something of the server that is loaded, kept fresh and shown: a value, or why there is none.
 *
 * Events say "it changed" and the value is loaded again; a slow poll is the safety net, since events are dropped
 * when the socket is down. A failed reload keeps the last value beside the error.
 */
export abstract class Resource<T> implements IDisposable {
  constructor() {
    this._poll = new Poll({
      auto: false,
      factory: () => this._reload(),
      frequency: IDLE,
      standby: 'when-hidden'
    });
    this._throttler = new Throttler(() => this._answer(), {
      limit: EVENT_LIMIT,
      edge: 'trailing'
    });
  }

  /** The last value that was loaded; null before the first. */
  get value(): T | null {
    return this._value;
  }

  /** Why the last load failed; null when it did not. */
  get error(): MlopsError | null {
    return this._error;
  }

  /** Emitted after every change of value or error. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  /** Begin to follow the server; calls after the first do nothing. */
  start(): void {
    if (!this._started) {
      this._started = true;
      void this.refresh();
    }
  }

  /** Load now, and go on polling. Never rejects: see `error`. */
  async refresh(): Promise<void> {
    if (this.isDisposed) {
      return;
    }
    this._started = true;
    try {
      await this._poll.refresh();
      await this._poll.tick;
    } catch {
      // The poll backs off by itself; the reason is in `error`.
    }
  }

  /** What was loaded is of another place: forget it, and load anew if anything was loaded. */
  reset(): void {
    if (this.isDisposed) {
      return;
    }
    this._generation++;
    this._value = null;
    this._error = null;
    this._changed.emit();
    if (this._started) {
      void this.refresh();
    }
  }

  /** Something changed on the server: load now, and once more for all that follows soon after. */
  poke(): void {
    if (!this._started || this.isDisposed) {
      return;
    }
    if (Date.now() - this._poked >= EVENT_LIMIT) {
      void this._answer();
    } else {
      this._throttler.invoke().catch(() => undefined);
    }
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._throttler.dispose();
    this._poll.dispose();
    Signal.clearData(this);
  }

  /** Get the value from the server. */
  protected abstract load(): Promise<T>;

  /** Tell that something else than the value has changed. */
  protected emit(): void {
    if (!this.isDisposed) {
      this._changed.emit();
    }
  }

  /** Whether the value is likely to change soon. */
  protected busy(_value: T): boolean {
    return false;
  }

  /** Put in a value that an action returned, without asking again. */
  protected set(value: T): void {
    this._value = value;
    this._error = null;
    this._often(this.busy(value) ? BUSY : IDLE);
    this._changed.emit();
  }

  private _often(frequency: IPoll.Frequency): void {
    if (this._poll.frequency.interval !== frequency.interval) {
      this._poll.frequency = frequency;
    }
  }

  private async _answer(): Promise<void> {
    this._poked = Date.now();
    await this.refresh();
  }

  private async _reload(): Promise<void> {
    const generation = this._generation;
    const current = () => !this.isDisposed && generation === this._generation;
    try {
      const value = await this.load();
      if (current()) {
        this.set(value);
      }
    } catch (reason) {
      if (current()) {
        this._error = asMlopsError(reason);
        this._often(this._error.status === 0 ? OFFLINE : IDLE);
        this._changed.emit();
      }
      throw reason;
    }
  }

  private _value: T | null = null;
  private _error: MlopsError | null = null;
  private _started = false;
  private _generation = 0;
  private _poked = 0;
  private _poll: Poll;
  private _throttler: Throttler<void>;
  private _changed = new Signal<this, void>(this);
}
