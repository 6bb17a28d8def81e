import { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { Contents } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { MlopsError } from '../api';
import { INotebookSource, ISnapshot } from '../models/pipeline';

/** Cell and notebook metadata under which this product keeps what people set. */
export const KEY = 'mlops';

/** An open notebook document as the pipeline model wants it. */
export class NotebookSource implements INotebookSource, IDisposable {
  constructor(
    readonly panel: NotebookPanel,
    private _contents: Contents.IManager,
    private _trans: TranslationBundle
  ) {
    this._context.pathChanged.connect(this._onChanged, this);
    this._context.model.contentChanged.connect(this._onChanged, this);
  }

  /** Without the name of a drive (collaboration adds one): the server knows none. */
  get path(): string {
    return this._contents.localPath(this._context.path);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  snapshot(): ISnapshot {
    const model = this._context.model;
    const cells: string[] = [];
    const parts: unknown[] = [model.getMetadata(KEY) ?? null];
    for (const cell of model.cells) {
      cells.push(cell.id);
      parts.push([
        cell.type,
        cell.sharedModel.getSource(),
        cell.getMetadata('tags') ?? null,
        cell.getMetadata(KEY) ?? null
      ]);
    }
    return { cells, fingerprint: JSON.stringify(parts) };
  }

  async save(): Promise<boolean> {
    const { model, path, contentsModel } = this._context;
    if (!model.dirty) {
      return false;
    }
    const trans = this._trans;
    if (model.readOnly || contentsModel?.writable === false) {
      throw new MlopsError({
        code: 'read-only',
        message: trans.__(
          '%1 is read-only, and its changes are not saved.',
          path
        ),
        fix: trans.__('Save it under another name, then convert that one.')
      });
    }
    // The document manager shows its own dialog when saving fails, and does not say so to its caller.
    await this._context.save();
    if (model.dirty) {
      throw new MlopsError({
        code: 'not-saved',
        message: trans.__('%1 could not be saved.', path),
        fix: trans.__('Save the notebook, then try again.')
      });
    }
    // A kernel that has just come up writes its language into the notebook: that is saved too, and no news.
    const { fingerprint } = this.snapshot();
    const news = fingerprint !== this._told;
    this._told = fingerprint;
    return news;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._context.pathChanged.disconnect(this._onChanged, this);
    this._context.model?.contentChanged.disconnect(this._onChanged, this);
    Signal.clearData(this);
  }

  private get _context(): DocumentRegistry.IContext<INotebookModel> {
    return this.panel.context;
  }

  private _onChanged(): void {
    this._changed.emit();
  }

  private _isDisposed = false;
  /** What was saved when it was last said. */
  private _told: string | null = null;
  private _changed = new Signal<this, void>(this);
}
