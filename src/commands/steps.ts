/**
 * Commands that change the steps of the notebook in front. The server says which cells to change; they are changed in the open
 * notebook, as one edit that can be undone, and the notebook is converted again.
 */
import { InputDialog } from '@jupyterlab/apputils';

import type { StepChange } from '../api';
import { NotebookSource } from '../notebook/source';
import { applyEdits, cellIds } from '../notebook/steps';
import { IContext } from '../tokens';
import { ARGS } from './args';
import { CommandIDs } from './ids';
import type { INotebookCommandOptions } from './notebooks';
import { look } from './preflight';
import { attempt } from './report';
import { addCellCommands } from './stepcells';

type Convert = (
  context: IContext,
  source: NotebookSource,
  tell: boolean
) => Promise<boolean>;

/** Id of JupyterLab's sidebar that shows the form of the active cell. */
const INSPECTOR = 'jp-property-inspector';

export function addStepCommands(
  options: INotebookCommandOptions,
  convert: Convert
): void {
  const { context } = options;
  const { trans, model } = context;
  const current = () => {
    const { source } = model.pipeline;
    return source instanceof NotebookSource ? source : null;
  };
  const change = (wanted: StepChange) => {
    const source = current();
    return source ? apply(context, source, wanted, convert) : undefined;
  };
  const add = adder(options);
  addCellCommands(options, current, change);
  add(CommandIDs.joinSteps, {
    label: args =>
      args.side === 'before'
        ? trans.__('Join With the Step Before')
        : args.side === 'after'
          ? trans.__('Join With the Step After')
          : trans.__('Make Steps One'),
    caption: trans.__('Join a step with a later one, and those between'),
    describedBy: ARGS.join,
    execute: args =>
      change({
        do: 'join',
        first: String(args.first),
        last: String(args.last)
      })
  });
  add(CommandIDs.renameStep, {
    label: trans.__('Rename Step…'),
    caption: trans.__('Give a step another name, where it has its name from'),
    describedBy: ARGS.rename,
    execute: async args => {
      const step = String(args.step);
      const name =
        typeof args.name === 'string'
          ? args.name
          : await askName(context, step, String(args.title ?? '') || step);
      return name ? change({ do: 'rename', step, name }) : undefined;
    }
  });
  add(CommandIDs.pinStep, {
    label: args => trans.__('Wait for %1', String(args.first)),
    caption: trans.__('Keep an order where no value flows'),
    describedBy: ARGS.pin,
    execute: args =>
      change({ do: 'pin', first: String(args.first), last: String(args.last) })
  });
  add(CommandIDs.unpinStep, {
    label: args => trans.__('No Longer Wait for %1', String(args.first)),
    caption: trans.__('Take a pinned order back'),
    describedBy: ARGS.pin,
    execute: args =>
      change({
        do: 'unpin',
        first: String(args.first),
        last: String(args.last)
      })
  });
  add(CommandIDs.resetSteps, {
    label: trans.__('Let Steps Be Proposed Again'),
    caption: trans.__('Take all names of steps back; it can be undone'),
    describedBy: ARGS.none,
    execute: () => change({ do: 'reset' })
  });
  addForm(options);
}

/** Adds commands that need a notebook in front. */
function adder({ app, notebooks }: INotebookCommandOptions) {
  return (
    id: string,
    command: Parameters<typeof app.commands.addCommand>[1]
  ): void => {
    app.commands.addCommand(id, {
      isEnabled: () => notebooks.currentWidget !== null,
      ...command
    });
  };
}

/** The form of the first cell of a step: all that can be asked for it. */
function addForm({ app, context, notebooks }: INotebookCommandOptions): void {
  const { trans, model } = context;
  app.commands.addCommand(CommandIDs.stepOptions, {
    label: trans.__('Options of the Step…'),
    caption: trans.__(
      'Resources, image, retries, secrets and more: the form of its first cell'
    ),
    describedBy: ARGS.cell,
    isEnabled: () => notebooks.currentWidget !== null,
    execute: async args => {
      const path = model.pipeline.source?.path;
      await app.commands.execute(CommandIDs.reveal, {
        path,
        cell: args.cell ?? null
      });
      app.shell.activateById(INSPECTOR);
      unfold(INSPECTOR, 'Pipeline step');
    }
  });
}

/** Open a section of a sidebar by its title; JupyterLab begins with all of them closed, and has no other way to open one. */
function unfold(sidebar: string, title: string): void {
  const closed = document.querySelectorAll<HTMLElement>(
    `#${sidebar} .jp-Collapse-header-collapsed`
  );
  [...closed].find(header => header.textContent === title)?.click();
}

async function apply(
  context: IContext,
  source: NotebookSource,
  wanted: StepChange,
  convert: Convert
): Promise<void> {
  const notebook = source.panel.content.model;
  if (!notebook) {
    return;
  }
  const { client, preflight } = context.model;
  const done = await attempt(async () => {
    const cells = cellIds(notebook);
    const { path } = source;
    applyEdits(
      notebook,
      cells,
      await client.editSteps(path, notebook.toJSON(), wanted)
    );
    return true;
  });
  // The steps are others now: what is shown of them shall be, too. Who changes several is not told each time that they are saved.
  const looked = preflight.of(source.path).phase !== 'none';
  if (done && (await convert(context, source, false)) && looked) {
    await look(context, source);
  }
}

/** Any name that people would write; the server says what it becomes, or that it is taken. */
async function askName(
  { trans }: IContext,
  step: string,
  text: string
): Promise<string | null> {
  const answer = await InputDialog.getText({
    title: trans.__('Name of the step %1', step),
    text,
    required: true
  });
  const name = answer.value?.trim() ?? '';
  return name && name !== text ? name : null;
}
