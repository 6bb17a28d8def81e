import { NotebookPanel } from '@jupyterlab/notebook';
import { TranslationBundle } from '@jupyterlab/translation';
import { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { marks } from '../format';
import { INotebookSource, PipelineModel } from '../models/pipeline';

/** Colours of steps in the style sheet; the next step after the last begins again. */
export const COLORS = 6;

/** Cells of one step, as attributes of their nodes: the style sheet draws the band and the name. */
export class StepBands implements IDisposable {
  constructor(
    private _panel: NotebookPanel,
    private _source: INotebookSource,
    private _pipeline: PipelineModel,
    private _trans: TranslationBundle
  ) {
    _pipeline.changed.connect(this._apply, this);
    _panel.content.modelContentChanged.connect(this._apply, this);
    this._apply();
  }

  /** Whether bands are shown; a setting. */
  set visible(visible: boolean) {
    this._visible = visible;
    this._apply();
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._pipeline.changed.disconnect(this._apply, this);
    Signal.clearData(this);
  }

  private _apply(): void {
    if (this._panel.isDisposed) {
      return;
    }
    const bands = this._bands();
    let before: string | undefined;
    for (const cell of this._panel.content.widgets) {
      const band = bands.get(cell.model.id);
      const { dataset } = cell.node;
      set(dataset, 'mlopsColor', band && String(band.color));
      const first = band && band.name !== before;
      set(dataset, 'mlopsStep', first ? band.name : undefined);
      set(dataset, 'mlopsMarks', (first && band.marks) || undefined);
      if (band) {
        before = band.name;
      }
    }
  }

  /** Step of each cell, by id. */
  private _bands(): Map<string, IBand> {
    const { conversion, cells } = this._pipeline.of(this._source);
    const bands = new Map<string, IBand>();
    if (conversion && this._visible) {
      conversion.steps.forEach((step, index) => {
        const said = marks(step.options, this._trans)
          .map(mark => ` · ${mark}`)
          .join('');
        const color = index % COLORS;
        for (const cell of step.cells) {
          bands.set(cells[cell], { name: step.name, marks: said, color });
        }
      });
    }
    return bands;
  }

  private _isDisposed = false;
  private _visible = true;
}

interface IBand {
  name: string;
  /** What the step does other than to run once, after its name; may be empty. */
  marks: string;
  color: number;
}

/** Write only what differs: every write makes the browser look at styles again. */
function set(
  dataset: DOMStringMap,
  key: string,
  value: string | undefined
): void {
  if (dataset[key] === value) {
    return;
  }
  if (value === undefined) {
    delete dataset[key];
  } else {
    dataset[key] = value;
  }
}
