/**
 * Commands that say of cells what steps do with them: begin a step at one, leave some out, set an option.
 */
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { StepChange } from '../api';
import { NotebookSource } from '../notebook/source';
import { isSkipped } from '../notebook/steps';
import { ARGS } from './args';
import { codeCell } from './cells';
import { CommandIDs } from './ids';
import type { INotebookCommandOptions } from './notebooks';

type Current = () => NotebookSource | null;
type Change = (wanted: StepChange) => Promise<void> | undefined;

export function addCellCommands(
  options: INotebookCommandOptions,
  current: Current,
  change: Change
): void {
  addSplit(options, current, change);
  addSkip(options, current, change);
  const { app, context } = options;
  app.commands.addCommand(CommandIDs.setOption, {
    label: context.trans.__('Set an Option of a Step'),
    caption: context.trans.__('Write a value into the metadata of a cell'),
    describedBy: ARGS.option,
    isEnabled: args => placeNow(options, current, Number(args.cell)) >= 0,
    execute: args =>
      change({
        do: 'set',
        cell: placeNow(options, current, Number(args.cell)),
        key: String(args.key),
        value: args.value ?? null
      })
  });
}

/** Where a cell of the last conversion is now; -1 where it is gone, or no notebook is in front. */
function placeNow(
  { context }: INotebookCommandOptions,
  current: Current,
  cell: number
): number {
  const source = current();
  if (!source) {
    return -1;
  }
  const { cells } = source.snapshot();
  const id = context.model.pipeline.of(source).cells[cell];
  return id === undefined ? cell : cells.indexOf(id);
}

/** A step begins at a cell of the conversion, or at the active cell. */
function addSplit(
  options: INotebookCommandOptions,
  current: Current,
  change: Change
): void {
  const { app, context } = options;
  const { trans } = context;
  const place = (args: ReadonlyPartialJSONObject): number =>
    typeof args.cell === 'number'
      ? placeNow(options, current, args.cell)
      : (codeCell(options, args)?.index ?? -1);
  app.commands.addCommand(CommandIDs.splitStep, {
    label: args =>
      typeof args.label === 'string'
        ? args.label
        : trans.__('Begin a Pipeline Step at This Cell'),
    caption: trans.__('The cells from here on become a step of their own'),
    describedBy: ARGS.split,
    isEnabled: args => place(args) >= 0,
    execute: args => {
      const name = typeof args.name === 'string' ? { name: args.name } : {};
      return change({ do: 'split', cell: place(args), ...name });
    }
  });
}

/** The cells of a step are left out; a single cell, by its own menu, is left out or taken in again. */
function addSkip(
  options: INotebookCommandOptions,
  current: Current,
  change: Change
): void {
  const { app, context } = options;
  const { trans } = context;
  const cells = (args: ReadonlyPartialJSONObject): number[] => {
    const found = Array.isArray(args.cells)
      ? args.cells.map(cell => placeNow(options, current, Number(cell)))
      : [codeCell(options, args)?.index ?? -1];
    return found.filter(index => index >= 0);
  };
  const back = (args: ReadonlyPartialJSONObject): boolean => {
    const cell = args.cells ? null : codeCell(options, args)?.cell.model;
    return cell ? isSkipped(cell) : false;
  };
  app.commands.addCommand(CommandIDs.skipCells, {
    label: args =>
      args.cells
        ? trans.__('Leave This Step Out')
        : back(args)
          ? trans.__('Take Cell Back Into the Pipeline')
          : trans.__('Leave Cell Out of the Pipeline'),
    caption: trans.__('No step runs a cell that is left out'),
    describedBy: ARGS.skip,
    isEnabled: args => cells(args).length > 0,
    execute: args =>
      change({ do: back(args) ? 'unskip' : 'skip', cells: cells(args) })
  });
}
