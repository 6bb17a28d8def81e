import { ICellModel } from '@jupyterlab/cells';
import { JSONObject } from '@lumino/coreutils';

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

/** A step's name as the converter takes it: a DNS label of at most 63 characters. */
export const STEP_PATTERN = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
