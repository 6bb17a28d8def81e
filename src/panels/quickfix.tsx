import { TranslationBundle } from '@jupyterlab/translation';
import { ReadonlyJSONObject } from '@lumino/coreutils';
import React from 'react';

import { Diagnostic } from '../api';
import { CommandIDs } from '../commands/ids';
import { IContext } from '../tokens';

/** What a button beside a finding does. */
export interface IQuickFix {
  label: string;
  command: string;
  args: ReadonlyJSONObject;
}

/**
 * What mends a finding by one change of the cell's metadata, or leads to where it is made; null where a person has to decide.
 */
export function quickFix(
  { code, cell }: Diagnostic,
  trans: TranslationBundle
): IQuickFix | null {
  if (typeof cell !== 'number') {
    return null;
  }
  switch (code) {
    case 'gpu-unasked':
      return {
        label: trans.__('Ask for One GPU'),
        command: CommandIDs.setOption,
        args: { cell, key: 'gpu', value: 1 }
      };
    case 'environment-read':
    case 'conflicting-options':
    case 'invalid-metadata':
      return {
        label: trans.__('Open the Form'),
        command: CommandIDs.stepOptions,
        args: { cell }
      };
    default:
      return null;
  }
}

/** The button, where there is one. */
export function QuickFix(props: {
  found: Diagnostic;
  context: IContext;
}): JSX.Element | null {
  const { trans, commands } = props.context;
  const fix = quickFix(props.found, trans);
  return (
    fix && (
      <button
        className="jp-mlops-link"
        onClick={() => void commands.execute(fix.command, fix.args)}
      >
        {fix.label}
      </button>
    )
  );
}
