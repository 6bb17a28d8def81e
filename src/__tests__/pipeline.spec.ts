import { Signal } from '@lumino/signaling';

import { Conversion, MlopsError } from '../api';
import { INotebookSource, PipelineModel } from '../models/pipeline';
import { serve, until } from './helpers';

const CONVERSION: Conversion = {
  pipeline: 'churn',
  source_digest: 'sha256:1',
  steps: [{ name: 'a', cells: [0, 1], needs: [], title: '' }],
  links: [],
  parameters: [],
  diagnostics: []
};

/** A notebook of a test: cells by id, and a file that saving writes. */
class Notebook implements INotebookSource {
  path = 'churn.ipynb';
  cells: [id: string, source: string][] = [
    ['c0', 'x = 1'],
    ['c1', 'y = x']
  ];
  saved = this._text;
  saveError: MlopsError | null = null;
  readonly changed: Signal<INotebookSource, void> = new Signal(this);

  edit(index: number, source: string): void {
    this.cells[index] = [this.cells[index][0], source];
    this.changed.emit();
  }

  snapshot() {
    return { cells: this.cells.map(([id]) => id), fingerprint: this._text };
  }

  async save(): Promise<boolean> {
    if (this.saveError) {
      throw this.saveError;
    }
    const dirty = this.saved !== this._text;
    this.saved = this._text;
    return dirty;
  }

  private get _text(): string {
    return JSON.stringify(this.cells);
  }
}

function setup(answer = () => ({ json: CONVERSION as unknown, status: 200 })) {
  const { client, requests } = serve(answer);
  const model = new PipelineModel(client);
  const notebook = new Notebook();
  const tracked = model.track(notebook);
  model.setCurrent(notebook);
  return { model, notebook, tracked, requests };
}

describe('PipelineModel', () => {
  it('has nothing without a notebook', () => {
    const { model, tracked } = setup();
    expect(model.current).toMatchObject({ conversion: null, busy: false });
    tracked.dispose();
    expect(model.current).toBeNull();
    expect(model.at('churn.ipynb')).toBeUndefined();
    model.dispose();
  });

  it('converts the saved notebook', async () => {
    const { model, notebook, requests } = setup();
    const busy: boolean[] = [];
    model.changed.connect(() => busy.push(model.current!.busy));
    expect(await model.convert(notebook)).toBe(false);
    expect(requests[0].body).toEqual({ path: 'churn.ipynb' });
    expect(busy).toEqual([true, false]);
    expect(model.current).toMatchObject({
      conversion: CONVERSION,
      cells: ['c0', 'c1'],
      stale: false,
      error: null
    });
    model.dispose();
  });

  it('saves first, and says so', async () => {
    const { model, notebook } = setup();
    notebook.edit(0, 'x = 2');
    expect(await model.convert(notebook)).toBe(true);
    expect(notebook.saved).toContain('x = 2');
    model.dispose();
  });

  it('does not convert what could not be saved', async () => {
    const { model, notebook, requests } = setup();
    notebook.saveError = new MlopsError({ code: 'read-only', message: 'no' });
    await expect(model.convert(notebook)).rejects.toBe(notebook.saveError);
    expect(requests).toHaveLength(0);
    expect(model.current).toMatchObject({
      busy: false,
      error: { code: 'read-only' }
    });
    model.dispose();
  });

  it('keeps the findings of a refusal, and forgets them afterwards', async () => {
    let refuse = true;
    const finding = {
      code: 'syntax',
      severity: 'error',
      cell: 1,
      line: 1,
      message: 'm',
      fix: 'f'
    };
    const { model, notebook } = setup(() =>
      refuse
        ? {
            status: 422,
            json: { code: 'refused', message: 'm', diagnostics: [finding] }
          }
        : { status: 200, json: CONVERSION }
    );
    await expect(model.convert(notebook)).rejects.toMatchObject({
      code: 'refused'
    });
    expect(model.current!.error!.diagnostics).toEqual([finding]);
    expect(model.current!.cells).toEqual(['c0', 'c1']);
    refuse = false;
    await model.convert(notebook);
    expect(model.current!.error).toBeNull();
    model.dispose();
  });

  it('notices edits, and that they were taken back', async () => {
    const { model, notebook } = setup();
    await model.convert(notebook);
    notebook.edit(1, 'y = x + 1');
    await until(() => model.current!.stale, 'stale');
    notebook.edit(1, 'y = x');
    await until(() => !model.current!.stale, 'fresh');
    model.dispose();
  });

  it('keeps what was typed, per notebook', () => {
    const { model, notebook } = setup();
    const other = new Notebook();
    model.track(other);
    model.enter(notebook, 'lr', '0.5');
    expect(model.of(notebook).entered).toEqual({ lr: '0.5' });
    expect(model.of(other).entered).toEqual({});
    model.enter(notebook, 'lr', null);
    expect(model.of(notebook).entered).toEqual({});
    model.dispose();
  });

  it('follows a notebook that is renamed', () => {
    const { model, notebook } = setup();
    notebook.path = 'b.ipynb';
    notebook.changed.emit();
    expect(model.current!.path).toBe('b.ipynb');
    expect(model.at('b.ipynb')).toBe(notebook);
    model.dispose();
  });

  describe('changedSince', () => {
    it('is unknown for a notebook that is not open', () => {
      const { model, requests } = setup();
      expect(model.changedSince('else.ipynb', 'sha256:1')).toBeNull();
      expect(requests).toHaveLength(0);
      model.dispose();
    });

    it('compares with the conversion that is shown', async () => {
      const { model, notebook } = setup();
      await model.convert(notebook);
      expect(model.changedSince('churn.ipynb', 'sha256:1')).toBe(false);
      expect(model.changedSince('churn.ipynb', 'sha256:2')).toBe(true);
      notebook.edit(0, 'x = 3');
      await until(() => model.current!.stale);
      expect(model.changedSince('churn.ipynb', 'sha256:1')).toBe(true);
      model.dispose();
    });

    it('converts the saved copy once, in the background', async () => {
      const { model, requests } = setup();
      const ask = () => model.changedSince('churn.ipynb', 'sha256:1');
      expect([ask(), ask(), ask()]).toEqual([null, null, null]);
      await until(() => ask() !== null);
      expect(ask()).toBe(false);
      expect(requests).toHaveLength(1);
      expect(model.current!.conversion).toBeNull();
      model.dispose();
    });
  });
});
