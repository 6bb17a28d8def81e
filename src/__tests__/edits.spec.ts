import { NotebookModel } from '@jupyterlab/notebook';

import { applyEdits, cellIds, isSkipped } from '../notebook/steps';

function notebook(): NotebookModel {
  const model = new NotebookModel();
  model.fromJSON({
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: ['a', 'b', 'c'].map(id => ({
      cell_type: 'code',
      id,
      source: `${id} = 1`,
      metadata: { mlops: { step: id, gpu: 1 }, tags: [`x-${id}`], own: id },
      outputs: [],
      execution_count: null
    }))
  });
  return model;
}

describe('applyEdits', () => {
  it('writes what differs, and nothing else of any cell', () => {
    const model = notebook();
    const ids = cellIds(model);
    const before = JSON.stringify(model.cells.get(2).toJSON());
    applyEdits(model, ids, [
      { cell: 0, metadata: { mlops: { step: 'z' } }, source: 'a = 1' },
      { cell: 1, metadata: { tags: ['x-b'], own: 'b' }, source: '%%step z' }
    ]);
    const [first, second, third] = [...model.cells];
    expect(first.getMetadata('mlops')).toEqual({ step: 'z' });
    expect(first.getMetadata('tags')).toBeUndefined();
    expect(first.getMetadata('own')).toBe('a');
    expect(second.getMetadata('mlops')).toBeUndefined();
    expect(second.sharedModel.getSource()).toBe('%%step z');
    expect(JSON.stringify(third.toJSON())).toBe(before);
    model.dispose();
  });

  it('finds cells that were moved, and leaves out those that are gone', () => {
    const model = notebook();
    const ids = cellIds(model);
    model.sharedModel.deleteCell(0);
    applyEdits(model, ids, [
      { cell: 0, metadata: {}, source: '' },
      { cell: 1, metadata: { mlops: { step: 'q' } }, source: 'b = 1' }
    ]);
    expect(model.cells.get(0).getMetadata('mlops')).toEqual({ step: 'q' });
    expect(model.cells.length).toBe(2);
    model.dispose();
  });

  it('is one change that can be undone', () => {
    const model = notebook();
    model.sharedModel.clearUndoHistory();
    const before = JSON.stringify(model.toJSON());
    applyEdits(model, cellIds(model), [
      { cell: 0, metadata: {}, source: 'a = 1' },
      { cell: 1, metadata: {}, source: 'b = 2' }
    ]);
    expect(JSON.stringify(model.toJSON())).not.toBe(before);
    model.sharedModel.undo();
    expect(JSON.stringify(model.toJSON())).toBe(before);
    model.dispose();
  });
});

describe('isSkipped', () => {
  it.each([
    [{}, [], false],
    [{ skip: true }, [], true],
    [{}, ['skip'], true],
    [{ skip: false }, ['skip'], false],
    [{ skip: 'yes' }, 'skip', false]
  ])('of %j and tags %j is %j', (own, tags, said) => {
    const model = notebook();
    const cell = model.cells.get(0);
    cell.setMetadata('mlops', own);
    cell.setMetadata('tags', tags);
    expect(isSkipped(cell)).toBe(said);
    model.dispose();
  });
});
