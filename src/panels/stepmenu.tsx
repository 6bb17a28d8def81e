/**
 * What can be done with a step: the menu behind its button, and behind the other mouse button on it.
 */
import { MenuSvg, ellipsesIcon } from '@jupyterlab/ui-components';
import { ReadonlyJSONObject } from '@lumino/coreutils';
import React from 'react';

import { Conversion, PlannedStep } from '../api';
import { CommandIDs } from '../commands/ids';
import { cellRange } from '../format';
import { IContext } from '../tokens';

interface IProps {
  context: IContext;
  conversion: Conversion;
  step: PlannedStep;
}

/** One line of the menu: a command, or lines of a menu of their own; null for a line between. */
export type Entry =
  | { command: string; args: ReadonlyJSONObject }
  | { label: string; entries: ReadonlyArray<Entry> }
  | null;

/** The button with three dots beside a step. */
export function StepMenuButton(props: IProps): JSX.Element | null {
  const { context, step } = props;
  const label = context.trans.__('Change the step %1', step.title || step.name);
  return step.cells.length === 0 ? null : (
    <button
      className="jp-mlops-step-menu"
      aria-label={label}
      aria-haspopup="menu"
      title={label}
      onClick={event => {
        const { left, bottom } = event.currentTarget.getBoundingClientRect();
        openStepMenu(props, left, bottom);
      }}
    >
      <ellipsesIcon.react tag="span" />
    </button>
  );
}

/** Open the menu of a step at a place of the page; nothing for a step without cells, which cannot be changed. */
export function openStepMenu(props: IProps, x: number, y: number): void {
  const { context, conversion, step } = props;
  const entries = stepEntries(conversion, step, context);
  if (entries.length) {
    const menu = built(entries, context);
    // A menu that is closed runs its command first.
    menu.aboutToClose.connect(() => setTimeout(() => menu.dispose()));
    menu.open(x, y);
  }
}

/** All that makes sense for a step. */
export function stepEntries(
  conversion: Conversion,
  step: PlannedStep,
  { trans }: IContext
): Entry[] {
  // Those that the server puts in between for a condition have no cells, and are nobody's to change.
  const steps = conversion.steps.filter(one => one.cells.length > 0);
  const place = steps.findIndex(one => one.name === step.name);
  if (place < 0) {
    return [];
  }
  const [before, after] = [steps[place - 1], steps[place + 1]];
  const { name, title, cells } = step;
  const pins = step.pins ?? [];
  const free = steps.slice(0, place).filter(one => !pins.includes(one.name));
  const entries: Entry[] = [
    { command: CommandIDs.renameStep, args: { step: name, title } },
    { command: CommandIDs.stepOptions, args: { cell: cells[0] } },
    null
  ];
  if (cells.length > 1) {
    entries.push({
      label: trans.__('Begin a Step At'),
      entries: cells.slice(1).map(cell => ({
        command: CommandIDs.splitStep,
        args: { cell, label: cellRange([cell], trans) }
      }))
    });
  }
  const joins = (first?: PlannedStep, last?: PlannedStep, side = '') => {
    if (first && last) {
      const args = { first: first.name, last: last.name, side };
      entries.push({ command: CommandIDs.joinSteps, args });
    }
  };
  joins(before, step, 'before');
  joins(step, after, 'after');
  if (free.length) {
    entries.push(null, {
      label: trans.__('Keep in Order Behind'),
      entries: free.map(one => pin(CommandIDs.pinStep, one.name, name))
    });
  }
  return [
    ...entries,
    ...pins.map(first => pin(CommandIDs.unpinStep, first, name)),
    null,
    { command: CommandIDs.skipCells, args: { cells } },
    { command: CommandIDs.resetSteps, args: {} }
  ];
}

function pin(command: string, first: string, last: string): Entry {
  return { command, args: { first, last } };
}

function built(entries: ReadonlyArray<Entry>, context: IContext): MenuSvg {
  const menu = new MenuSvg({ commands: context.commands });
  for (const entry of entries) {
    if (entry === null) {
      menu.addItem({ type: 'separator' });
    } else if ('command' in entry) {
      menu.addItem(entry);
    } else {
      const submenu = built(entry.entries, context);
      submenu.title.label = entry.label;
      menu.addItem({ type: 'submenu', submenu });
    }
  }
  return menu;
}
