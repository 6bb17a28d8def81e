import { IDisposable } from '@lumino/disposable';
import { Debouncer } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { Conversion, MlopsClient, MlopsError, asMlopsError } from '../api';

/** Milliseconds of rest after which an edit is compared with what was converted. */
const EDIT_PAUSE = 400;

/** An open notebook, as the pipeline sees it. */
export interface INotebookSource {
  /** Path as the server's contents service knows it. */
  readonly path: string;
  /** Emitted on any change of its content or path. */
  readonly changed: ISignal<INotebookSource, void>;
  /** Cells by id in document order, and what a conversion depends on: sources, types, tags and our metadata. */
  snapshot(): ISnapshot;
  /**
   * Save if there is something to save; says whether it did, once for the same cells and steps. Rejects with `MlopsError` where it
   * cannot.
   */
  save(): Promise<boolean>;
}

export interface ISnapshot {
  readonly cells: ReadonlyArray<string>;
  readonly fingerprint: string;
}

/** What is known of one notebook's pipeline. */
export interface IPipeline {
  readonly path: string;
  readonly busy: boolean;
  readonly conversion: Conversion | null;
  /** Why there is no conversion of the newest content; `diagnostics` where the notebook was refused. */
  readonly error: MlopsError | null;
  /** Ids of the cells at conversion, so that "cell 3" is found again after cells were moved. */
  readonly cells: ReadonlyArray<string>;
  /** Whether the notebook was edited after the conversion. */
  readonly stale: boolean;
  /** Texts of the parameter form that differ from the defaults, by name. */
  readonly entered: Readonly<Record<string, string>>;
}

/** Pipelines of the open notebooks, and which of them is in front. */
export class PipelineModel implements IDisposable {
  constructor(private _client: MlopsClient) {}

  /** The pipeline of the notebook in front; null where there is no notebook. */
  get current(): IPipeline | null {
    return this._current ? this.of(this._current) : null;
  }

  get source(): INotebookSource | null {
    return this._current;
  }

  /** Emitted when any pipeline, or which one is in front, changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  of(source: INotebookSource): IPipeline {
    return this._tracked.get(source)?.pipeline ?? empty(source.path);
  }

  /** The open notebook at a path. */
  at(path: string): INotebookSource | undefined {
    return [...this._tracked.keys()].find(source => source.path === path);
  }

  /** Begin to follow an open notebook; dispose what is returned when it closes. */
  track(source: INotebookSource): IDisposable {
    const debouncer = new Debouncer(() => this._compare(source), EDIT_PAUSE);
    this._tracked.set(source, {
      pipeline: empty(source.path),
      fingerprint: null,
      debouncer
    });
    source.changed.connect(this._onChanged, this);
    let isDisposed = false;
    return {
      get isDisposed() {
        return isDisposed;
      },
      dispose: () => {
        isDisposed = true;
        source.changed.disconnect(this._onChanged, this);
        debouncer.dispose();
        this._tracked.delete(source);
        if (this._current === source) {
          this.setCurrent(null);
        }
      }
    };
  }

  setCurrent(source: INotebookSource | null): void {
    if (this._current !== source) {
      this._current = source;
      this._changed.emit();
    }
  }

  /** Keep what was typed into the parameter form. */
  enter(source: INotebookSource, name: string, text: string | null): void {
    const entered = { ...this.of(source).entered };
    if (text === null) {
      delete entered[name];
    } else {
      entered[name] = text;
    }
    this._update(source, { entered });
  }

  /**
   * Convert the saved notebook, saving it first. Resolves to whether it had to be saved; the outcome is in `of(source)`,
   * and rejects only where that says so too.
   */
  async convert(source: INotebookSource): Promise<boolean> {
    this._update(source, { busy: true });
    try {
      const saved = await source.save();
      const before = source.snapshot();
      const conversion = await this._client.convert(source.path);
      const tracked = this._tracked.get(source);
      if (tracked) {
        tracked.fingerprint = before.fingerprint;
      }
      this._update(source, {
        busy: false,
        conversion,
        error: null,
        cells: before.cells,
        stale: source.snapshot().fingerprint !== before.fingerprint
      });
      return saved;
    } catch (reason) {
      const error = asMlopsError(reason);
      const { cells } = source.snapshot();
      this._update(source, { busy: false, error, cells, conversion: null });
      throw error;
    }
  }

  /**
   * Whether an open notebook has changed since it had a digest; null while that is not known. The first question about
   * a notebook converts its saved copy in the background, without showing it.
   */
  changedSince(path: string, digest: string): boolean | null {
    const source = this.at(path);
    if (!source) {
      return null;
    }
    const { conversion, stale } = this.of(source);
    if (conversion) {
      return stale || conversion.source_digest !== digest;
    }
    const known = this._digests.get(source);
    if (known === undefined) {
      this._digests.set(source, null);
      this._client.convert(path).then(
        ({ source_digest }) => {
          this._digests.set(source, source_digest);
          this._changed.emit();
        },
        () => {
          // A notebook that cannot be converted now is not the one that ran; but an outage says nothing. Stay silent.
        }
      );
      return null;
    }
    return known === null ? null : known !== digest;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    for (const { debouncer } of this._tracked.values()) {
      debouncer.dispose();
    }
    this._tracked.clear();
    Signal.clearData(this);
  }

  private _onChanged(source: INotebookSource): void {
    // What was asked of the saved copy may not hold any more.
    this._digests.delete(source);
    const tracked = this._tracked.get(source);
    if (tracked && tracked.pipeline.path !== source.path) {
      this._update(source, { path: source.path });
    }
    if (tracked && tracked.fingerprint !== null) {
      tracked.debouncer.invoke().catch(() => undefined);
    }
  }

  private _compare(source: INotebookSource): void {
    const tracked = this._tracked.get(source);
    if (!tracked || tracked.fingerprint === null) {
      return;
    }
    const stale = source.snapshot().fingerprint !== tracked.fingerprint;
    if (stale !== tracked.pipeline.stale) {
      this._update(source, { stale });
    }
  }

  private _update(source: INotebookSource, change: Partial<IPipeline>): void {
    const tracked = this._tracked.get(source);
    if (tracked) {
      tracked.pipeline = { ...tracked.pipeline, ...change };
      this._changed.emit();
    }
  }

  private _isDisposed = false;
  private _current: INotebookSource | null = null;
  private _tracked = new Map<INotebookSource, ITracked>();
  private _digests = new WeakMap<INotebookSource, string | null>();
  private _changed = new Signal<this, void>(this);
}

interface ITracked {
  pipeline: IPipeline;
  /** Of the content that was converted; null before the first conversion. */
  fingerprint: string | null;
  debouncer: Debouncer<void>;
}

function empty(path: string): IPipeline {
  return {
    path,
    busy: false,
    conversion: null,
    error: null,
    cells: [],
    stale: false,
    entered: {}
  };
}
