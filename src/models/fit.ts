import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import {
  Conversion,
  Diagnostic,
  MlopsClient,
  MlopsError,
  asMlopsError
} from '../api';

/** Milliseconds after which images that were still being read are looked at again, and how often that is done by itself. */
const AGAIN = 4000;
const TIMES = 4;

/** How a notebook fits a target. */
export interface IFit {
  readonly busy: boolean;
  /** As the target has it: with its environment, and with what does not fit among the diagnostics. */
  readonly conversion: Conversion | null;
  /** Why it could not be looked at; the pipeline stays usable without. */
  readonly error: MlopsError | null;
}

const NOTHING: IFit = { busy: true, conversion: null, error: null };

/**
 * What a target finds in the notebooks that were converted. It is asked for beside the conversion: a kernel and registries have to
 * be asked, which takes a while, and a cluster that is away must not keep a notebook from being shown.
 */
export class FitModel implements IDisposable {
  constructor(private _client: MlopsClient) {}

  /** Emitted when anything about any notebook changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** What is known of a notebook as it was converted; the first question, and one about another content, asks the server. */
  of(path: string, target: string, digest: string): IFit {
    const known = this._known.get(key(path, target));
    if (known?.digest !== digest) {
      void this._ask(path, target, digest, 0);
    }
    return this.known(path, target);
  }

  /** What was found by now; nobody is asked. */
  known(path: string, target: string): IFit {
    return this._known.get(key(path, target))?.fit ?? NOTHING;
  }

  /** Look anew: an image may have been pushed, or a package installed. */
  refresh(path: string, target: string): void {
    const known = this._known.get(key(path, target));
    if (known) {
      void this._ask(path, target, known.digest, TIMES);
      this._changed.emit();
    }
  }

  /** A target's settings were changed: what was found there is of another place. */
  forget(target: string): void {
    for (const one of [...this._known.keys()]) {
      if (one.endsWith(`\n${target}`)) {
        this._known.delete(one);
      }
    }
    this._changed.emit();
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._timers.forEach(timer => clearTimeout(timer));
    Signal.clearData(this);
  }

  private async _ask(
    path: string,
    target: string,
    digest: string,
    times: number
  ): Promise<void> {
    const id = key(path, target);
    const before = this._known.get(id);
    const asked: IKnown = {
      digest,
      fit: before ? { ...before.fit, busy: true } : NOTHING
    };
    this._known.set(id, asked);
    let fit: IFit;
    try {
      const conversion = await this._client.convert(path, target);
      fit = { busy: false, conversion, error: null };
    } catch (reason) {
      fit = { busy: false, conversion: null, error: asMlopsError(reason) };
    }
    if (this._isDisposed || this._known.get(id) !== asked) {
      return;
    }
    this._known.set(id, { digest, fit });
    this._changed.emit();
    if (times < TIMES && unread(fit)) {
      const timer = setTimeout(() => {
        this._timers.delete(timer);
        if (this._known.get(id)?.fit === fit) {
          void this._ask(path, target, digest, times + 1);
        }
      }, AGAIN);
      this._timers.add(timer);
    }
  }

  private _isDisposed = false;
  private _known = new Map<string, IKnown>();
  private _timers = new Set<ReturnType<typeof setTimeout>>();
  private _changed = new Signal<this, void>(this);
}

interface IKnown {
  /** Of the notebook that was asked about. */
  readonly digest: string;
  readonly fit: IFit;
}

function key(path: string, target: string): string {
  return `${path}\n${target}`;
}

function unread({ conversion }: IFit): boolean {
  return (
    conversion?.diagnostics.some(found => found.code === 'image-unread') ??
    false
  );
}

/** What a target finds besides what a conversion says anywhere; nothing while what is known is of another content. */
export function misfits(
  fit: IFit,
  conversion: Conversion
): ReadonlyArray<Diagnostic> {
  if (fit.conversion?.source_digest !== conversion.source_digest) {
    return [];
  }
  const said = new Set(
    conversion.diagnostics.map(found => JSON.stringify(found))
  );
  return fit.conversion.diagnostics.filter(
    found => !said.has(JSON.stringify(found))
  );
}
