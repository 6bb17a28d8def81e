import { CommandRegistry } from '@lumino/commands';

import { Conversion, PlannedStep } from '../api';
import { ARGS } from '../commands/args';
import { CommandIDs } from '../commands/ids';
import { Entry, openStepMenu, stepEntries } from '../panels/stepmenu';
import { IContext } from '../tokens';
import { trans } from './helpers';

function step(name: string, cells: number[], pins?: string[]): PlannedStep {
  const needs = pins ?? [];
  return {
    name,
    cells,
    needs,
    title: name.toUpperCase(),
    ...(pins && { pins })
  };
}

function conversion(...steps: PlannedStep[]): Conversion {
  return {
    pipeline: 'churn',
    source_digest: 'sha256:1',
    steps,
    links: [],
    parameters: [],
    diagnostics: []
  };
}

const context = { trans } as unknown as IContext;

/** What a menu offers, in words: "command first>last" or "menu: …". */
function said(entries: ReadonlyArray<Entry>): string[] {
  return entries.map(entry => {
    if (entry === null) {
      return '-';
    }
    if ('entries' in entry) {
      return `${entry.label}: ${said(entry.entries).join(', ')}`;
    }
    const { first, last, step, cell, cells } = entry.args;
    const about = [first, last, step, cell, cells].filter(
      one => one !== undefined
    );
    return `${entry.command.split(':')[1]} ${about.join('>')}`.trim();
  });
}

describe('the menu of a step', () => {
  const load = step('load', [0]);
  const tidy = step('tidy', [1, 3, 4]);
  const train = step('train', [5], ['load']);
  const whether = step('if-big', []);

  it.each([
    [
      'a first step of one cell',
      load,
      ['rename-step load', 'step-options 0', '-', 'join-steps load>tidy']
    ],
    [
      'one between others, past what has no cells',
      tidy,
      [
        'rename-step tidy',
        'step-options 1',
        '-',
        'Begin a Step At: split-step 3, split-step 4',
        'join-steps load>tidy',
        'join-steps tidy>train',
        '-',
        'Keep in Order Behind: pin-step load>tidy'
      ]
    ],
    [
      'a pinned one',
      train,
      [
        'rename-step train',
        'step-options 5',
        '-',
        'join-steps tidy>train',
        '-',
        'Keep in Order Behind: pin-step tidy>train',
        'unpin-step load>train'
      ]
    ]
  ])('offers what makes sense for %s', (_, one, offered) => {
    const found = stepEntries(
      conversion(load, tidy, whether, train),
      one,
      context
    );
    expect(said(found)).toEqual([
      ...offered,
      '-',
      `skip-cells ${one.cells.join()}`,
      'reset-steps'
    ]);
  });

  it('offers nothing for a step without cells', () => {
    expect(
      stepEntries(conversion(load, whether), whether, context)
    ).toHaveLength(0);
    openStepMenu(
      { context, conversion: conversion(whether), step: whether },
      0,
      0
    );
    expect(document.querySelector('.lm-Menu')).toBeNull();
  });

  it('opens with the labels of the commands, and goes when it is closed', async () => {
    const commands = new CommandRegistry();
    for (const id of [
      CommandIDs.renameStep,
      CommandIDs.stepOptions,
      CommandIDs.joinSteps,
      CommandIDs.skipCells,
      CommandIDs.resetSteps
    ]) {
      commands.addCommand(id, {
        label: id,
        describedBy: ARGS.none,
        execute: () => undefined
      });
    }
    const step = load;
    openStepMenu(
      {
        context: { trans, commands } as unknown as IContext,
        conversion: conversion(load, tidy),
        step
      },
      1,
      1
    );
    const menu = document.querySelector('.lm-Menu')!;
    expect(menu.textContent).toContain(CommandIDs.renameStep);
    menu.dispatchEvent(new KeyboardEvent('keydown', { keyCode: 27 }));
    await new Promise(resolve => setTimeout(resolve, 5));
    expect(document.querySelector('.lm-Menu')).toBeNull();
  });
});
