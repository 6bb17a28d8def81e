import { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { LogLine, Logs, MlopsError, asMlopsError } from '../api';

/** Lines kept in the browser; a longer log loses its beginning here, never on the server. */
export const KEPT_LINES = 5_000;

/** Lines asked for at once. */
const PAGE = 2_000;

/** Milliseconds between two looks at a log that is still written. */
const INTERVAL = 1_000;

/** A log that is read page by page from where the last page ended, and only while somebody looks at it. */
export class LogModel implements IDisposable {
  constructor(
    private _fetch: (query: { offset: number; limit: number }) => Promise<Logs>
  ) {
    this._poll = new Poll({
      auto: false,
      factory: () => this._read(),
      frequency: { interval: INTERVAL, backoff: true, max: 30_000 },
      standby: () => (this._visible && !this._done ? 'when-hidden' : true)
    });
  }

  get lines(): ReadonlyArray<LogLine> {
    return this._lines;
  }

  /** How many lines before `lines` are not kept. */
  get dropped(): number {
    return this._dropped;
  }

  /** Nothing will follow. */
  get done(): boolean {
    return this._done;
  }

  /** Whether anything was read yet. */
  get loaded(): boolean {
    return this._loaded;
  }

  get error(): MlopsError | null {
    return this._error;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  /** Read while true. */
  set visible(visible: boolean) {
    this._visible = visible;
    if (visible && !this._done && !this.isDisposed) {
      void this._poll.refresh();
    }
  }

  retry(): void {
    void this._poll.refresh();
  }

  dispose(): void {
    this._poll.dispose();
    Signal.clearData(this);
  }

  private async _read(): Promise<void> {
    try {
      let page: Logs;
      do {
        page = await this._fetch({ offset: this._offset, limit: PAGE });
        if (this.isDisposed) {
          return;
        }
        this._append(page);
      } while (page.lines.length >= PAGE);
      this._error = null;
    } catch (reason) {
      this._error = asMlopsError(reason);
      throw reason;
    } finally {
      if (!this.isDisposed) {
        this._loaded = true;
        this._changed.emit();
      }
    }
  }

  private _append(page: Logs): void {
    this._offset = page.offset;
    this._done = page.done;
    const lines = [...this._lines, ...page.lines];
    const excess = Math.max(0, lines.length - KEPT_LINES);
    this._dropped += excess;
    this._lines = excess ? lines.slice(excess) : lines;
  }

  private _lines: LogLine[] = [];
  private _dropped = 0;
  private _offset = 0;
  private _done = false;
  private _loaded = false;
  private _visible = false;
  private _error: MlopsError | null = null;
  private _poll: Poll;
  private _changed = new Signal<this, void>(this);
}

/** Without colours and cursor movements of terminals; what a carriage return overwrote is gone. */
export function plain(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex -- escape sequences are control characters
      .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
      .replace(/\r$/, '')
      .replace(/^[^]*\r/, '')
  );
}
