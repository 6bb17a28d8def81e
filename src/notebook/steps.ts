import { ICellModel } from '@jupyterlab/cells';
import { INotebookModel } from '@jupyterlab/notebook';
import { JSONObject } from '@lumino/coreutils';

import type { CellEdit } from '../api';
import { KEY } from './source';

/** Step that a cell says it begins or belongs to; '' for none, as the property inspector leaves it. */
export function stepOf(cell: ICellModel): string {
  const metadata = cell.getMetadata(KEY) as JSONObject | undefined;
  return typeof metadata?.step === 'string' ? metadata.step : '';
}

/** Set or clear a cell's step, leaving all else of its metadata as it is. */
export function setStep(cell: ICellModel, step: string): void {
  const { step: _, ...rest } = (cell.getMetadata(KEY) ?? {}) as JSONObject;
  const metadata: JSONObject = step ? { ...rest, step } : rest;
  cell.sharedModel.transact(() => {
    if (Object.keys(metadata).length) {
      cell.setMetadata(KEY, metadata);
    } else {
      cell.deleteMetadata(KEY);
    }
  });
}

/** Whether no step runs a cell: its key counts more than its tag. */
export function isSkipped(cell: ICellModel): boolean {
  const metadata = cell.getMetadata(KEY) as JSONObject | undefined;
  const tags = cell.getMetadata('tags') as unknown;
  return typeof metadata?.skip === 'boolean'
    ? metadata.skip
    : Array.isArray(tags) && tags.includes('skip');
}

/** Ids of the cells in document order. */
export function cellIds(notebook: INotebookModel): ReadonlyArray<string> {
  return [...notebook.cells].map(cell => cell.id);
}

/**
 * Write edits of cells into the open notebook, as one change that can be undone: only the parts of their metadata that name steps,
 * and their source where it changed. `ids` are those of the cells when the edits were made; a cell that is gone since is left out.
 */
export function applyEdits(
  notebook: INotebookModel,
  ids: ReadonlyArray<string>,
  edits: ReadonlyArray<CellEdit>
): void {
  const cells = new Map([...notebook.cells].map(cell => [cell.id, cell]));
  notebook.sharedModel.transact(() => {
    for (const edit of edits) {
      const cell = cells.get(ids[edit.cell]);
      if (!cell) {
        continue;
      }
      for (const key of [KEY, 'tags']) {
        const value = edit.metadata[key];
        const before = cell.getMetadata(key) as unknown;
        if (JSON.stringify(value) === JSON.stringify(before)) {
          continue;
        }
        if (value === undefined) {
          cell.deleteMetadata(key);
        } else {
          cell.setMetadata(key, value as JSONObject);
        }
      }
      if (cell.sharedModel.getSource() !== edit.source) {
        cell.sharedModel.setSource(edit.source);
      }
    }
  });
}

/** A step's name as the converter takes it: a DNS label of at most 63 characters. */
export const STEP_PATTERN = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
