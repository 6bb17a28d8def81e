import { NotebookPanel } from '@jupyterlab/notebook';
import { Contents } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import { NotebookSource } from '../notebook/source';
import { trans } from './helpers';

/** An open notebook of one cell; only what the source uses of a panel. */
function opened() {
  const sender = {};
  const state = { source: 'x = 1', metadata: undefined as unknown };
  const model = {
    dirty: false,
    readOnly: false,
    contentChanged: new Signal(sender),
    getMetadata: () => undefined,
    cells: [
      {
        id: 'c0',
        type: 'code',
        sharedModel: { getSource: () => state.source },
        getMetadata: () => state.metadata
      }
    ]
  };
  const context = {
    path: 'a.ipynb',
    model,
    contentsModel: { writable: true },
    pathChanged: new Signal(sender),
    save: () => {
      model.dirty = false;
      return Promise.resolve();
    }
  };
  const contents = { localPath: (path: string) => path };
  const source = new NotebookSource(
    { context } as unknown as NotebookPanel,
    contents as unknown as Contents.IManager,
    trans
  );
  return { source, model, state };
}

describe('NotebookSource.save', () => {
  it('is news once for the same cells, whatever the kernel writes beside them', async () => {
    const { source, model, state } = opened();
    expect(await source.save()).toBe(false);
    model.dirty = true;
    expect(await source.save()).toBe(true);
    // The kernel's language has arrived.
    model.dirty = true;
    expect(await source.save()).toBe(false);
    expect(model.dirty).toBe(false);
    model.dirty = true;
    state.source = 'x = 2';
    expect(await source.save()).toBe(true);
    source.dispose();
  });

  it('refuses where it cannot save', async () => {
    const { source, model } = opened();
    model.dirty = true;
    model.readOnly = true;
    await expect(source.save()).rejects.toMatchObject({ code: 'read-only' });
  });
});
